//! Reading figures off a ROC curve, score by score from the highest down.
//!
//! A [`Reader`] knows a whole curve; pieces of it are read by [`Piece`]s, side by side, each from the
//! counts above it, and joined. All is integer, so the figures are exact whatever the pieces.

use crate::analysis::{FPRS, Figures};

/// Reads one curve.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    /// All of the curve.
    members: u64,
    nonmembers: u64,
    /// At or above the scores read so far.
    tp: u64,
    fp: u64,
    /// Twice the pairs in which the member scores higher, ties counting one.
    twice_wins: u128,
    /// Maximum of tp * nonmembers - fp * members.
    best: i128,
    /// By rate of [`FPRS`]: the true positives where the false positives last were within it; all, until
    /// they are beyond.
    within: [u64; FPRS.len()],
}

impl Reader {
    /// For a curve of so many scores.
    pub fn new(members: u64, nonmembers: u64) -> Self {
        let within = [members; FPRS.len()];
        Self { members, nonmembers, tp: 0, fp: 0, twice_wins: 0, best: 0, within }
    }

    /// True and false positives so far.
    pub fn so_far(&self) -> (u64, u64) {
        (self.tp, self.fp)
    }

    /// A piece to be read from the vertex (tp, fp) on.
    pub fn piece(&self, tp: u64, fp: u64) -> Piece {
        Piece {
            tp,
            fp,
            twice_wins: 0,
            gain: 0,
            best: 0,
            limit: limit_from(self.nonmembers, fp),
            per_member: self.nonmembers as i64,
            per_nonmember: self.members as i64,
        }
    }

    /// Joins the next piece, which began where this reader is.
    pub fn join(&mut self, piece: &Piece) {
        self.best = self.best.max(self.gain() + i128::from(piece.best));
        self.twice_wins += u128::from(piece.twice_wins);
        (self.tp, self.fp) = (piece.tp, piece.fp);
    }

    /// Joins what a piece found where it left a rate.
    pub fn cross(&mut self, crossing: &Crossing) {
        let limits = limits(self.nonmembers);
        for (within, limit) in self.within.iter_mut().zip(limits) {
            if (crossing.fp..crossing.next_fp).contains(&limit) {
                *within = crossing.tp;
            }
        }
    }

    /// The next vertex, of any number of equal scores.
    pub fn vertex(&mut self, members: u64, nonmembers: u64) {
        self.cross(&Crossing { tp: self.tp, fp: self.fp, next_fp: self.fp + nonmembers });
        self.twice_wins += u128::from(nonmembers) * u128::from(2 * self.tp + members);
        self.tp += members;
        self.fp += nonmembers;
        self.best = self.best.max(self.gain());
    }

    fn gain(&self) -> i128 {
        i128::from(self.tp) * i128::from(self.nonmembers) - i128::from(self.fp) * i128::from(self.members)
    }

    /// The figures; NaN without members or without non-members.
    pub fn figures(&self) -> Figures {
        if self.members == 0 || self.nonmembers == 0 {
            return Figures {
                auc: f64::NAN,
                balanced_accuracy: f64::NAN,
                tpr_at_fpr: [f64::NAN; FPRS.len()],
            };
        }
        let pairs = self.members as f64 * self.nonmembers as f64;
        Figures {
            auc: self.twice_wins as f64 / (2.0 * pairs),
            balanced_accuracy: 0.5 + 0.5 * (self.best as f64 / pairs),
            tpr_at_fpr: self.within.map(|tp| tp as f64 / self.members as f64),
        }
    }
}

/// The most false positives within each rate of [`FPRS`].
pub(super) fn limits(nonmembers: u64) -> [u64; FPRS.len()] {
    FPRS.map(|rate| (rate * nonmembers as f64 + 1e-9).floor() as u64)
}

/// The lowest of the limits that `fp` is still within.
fn limit_from(nonmembers: u64, fp: u64) -> u64 {
    limits(nonmembers).into_iter().filter(|&limit| limit >= fp).min().unwrap_or(u64::MAX)
}

/// A step over a limit: the vertex before it, and the false positives after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crossing {
    tp: u64,
    fp: u64,
    next_fp: u64,
}

/// Reads a piece of at most some 2^28 scores of one curve of at most 2^34: then nothing overflows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    tp: u64,
    fp: u64,
    twice_wins: u64,
    /// Change of tp * nonmembers - fp * members within the piece, and its maximum.
    gain: i64,
    best: i64,
    /// Up to here no limit is crossed.
    limit: u64,
    per_member: i64,
    per_nonmember: i64,
}

impl Piece {
    /// True and false positives so far.
    #[inline(always)]
    pub fn so_far(&self) -> (u64, u64) {
        (self.tp, self.fp)
    }

    /// A score that no other equals, of a member (1) or a non-member (0). `crossed` hears of crossings.
    #[inline(always)]
    pub fn single(&mut self, member: u64, crossed: impl FnOnce(Crossing)) {
        // All ones for a non-member: no branch on what cannot be foreseen.
        let nonmember = member.wrapping_sub(1);
        let fp = self.fp + (nonmember & 1);
        if fp > self.limit {
            crossed(self.leave_limit(fp));
        }
        self.fp = fp;
        self.twice_wins += (2 * self.tp) & nonmember;
        self.tp += member;
        self.gain += (self.per_member & !(nonmember as i64)) - (self.per_nonmember & nonmember as i64);
        self.best = self.best.max(self.gain);
    }

    /// Scores that equal each other and no other: one vertex.
    pub fn vertex(&mut self, members: u64, nonmembers: u64, crossed: impl FnOnce(Crossing)) {
        let fp = self.fp + nonmembers;
        if fp > self.limit {
            crossed(self.leave_limit(fp));
        }
        self.fp = fp;
        self.twice_wins += nonmembers * (2 * self.tp + members);
        self.tp += members;
        self.gain += members as i64 * self.per_member - nonmembers as i64 * self.per_nonmember;
        self.best = self.best.max(self.gain);
    }

    #[cold]
    fn leave_limit(&mut self, next_fp: u64) -> Crossing {
        self.limit = limit_from(self.per_member as u64, next_fp);
        Crossing { tp: self.tp, fp: self.fp, next_fp }
    }
}
