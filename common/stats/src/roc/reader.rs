//! Reading figures off a ROC curve, strip by strip from the highest score down. All is integer, so the
//! figures are exact whatever the strips.

use super::strip::{Block, Part, parts};
use super::thin::Thinner;
use crate::analysis::{FPRS, Figures};
use crate::lanes::{Kernel, Vector, dispatch};

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
    /// Up to as many false positives no rate is left.
    limit: u64,
}

impl Reader {
    /// For a curve of so many scores.
    pub fn new(members: u64, nonmembers: u64) -> Self {
        let (within, limit) = ([members; FPRS.len()], limit_from(nonmembers, 0));
        Self { members, nonmembers, tp: 0, fp: 0, twice_wins: 0, best: 0, within, limit }
    }

    /// True and false positives so far.
    pub fn so_far(&self) -> (u64, u64) {
        (self.tp, self.fp)
    }

    /// Whether the curve has figures at all.
    pub fn two_sided(&self) -> bool {
        self.members > 0 && self.nonmembers > 0
    }

    /// Reads strips one after the other, and draws what it reads.
    pub fn read<'b>(
        &mut self,
        strips: impl Iterator<Item = &'b [u64]> + Clone,
        drawing: Option<&mut Thinner>,
    ) {
        dispatch(Read { reader: self, strips, drawing });
    }

    /// The next scores, none of which equals one of the other side.
    #[inline(always)]
    fn block(&mut self, block: Block, mut drawing: Option<&mut Thinner>) {
        let (members, nonmembers) = (block.members(), block.nonmembers());
        let (tp, fp) = (self.tp + members, self.fp + nonmembers);
        if fp > self.limit || drawing.as_ref().is_some_and(|drawing| drawing.reaches((tp, fp))) {
            for member in block.sides().map(u64::from) {
                self.vertex(member, 1 - member, drawing.as_deref_mut());
            }
            return;
        }
        self.twice_wins += u128::from(2 * (nonmembers * self.tp + block.wins()));
        (self.tp, self.fp) = (tp, fp);
        self.best = self.best.max(self.gain(tp, fp));
    }

    /// The next vertex, of any number of equal scores.
    pub fn vertex(&mut self, members: u64, nonmembers: u64, drawing: Option<&mut Thinner>) {
        let before = self.so_far();
        let fp = self.fp + nonmembers;
        if fp > self.limit {
            for (within, limit) in self.within.iter_mut().zip(limits(self.nonmembers)) {
                if (self.fp..fp).contains(&limit) {
                    *within = self.tp;
                }
            }
            self.limit = limit_from(self.nonmembers, fp);
        }
        self.twice_wins += u128::from(nonmembers) * u128::from(2 * self.tp + members);
        self.tp += members;
        self.fp = fp;
        self.best = self.best.max(self.gain(self.tp, self.fp));
        if let Some(drawing) = drawing {
            drawing.step(before, self.so_far());
        }
    }

    /// Tries every vertex of a block after the vertex (tp, fp).
    #[inline(always)]
    fn look_within(&mut self, block: Block, mut tp: u64, mut fp: u64) {
        for member in block.sides().map(u64::from) {
            tp += member;
            fp += 1 - member;
            self.best = self.best.max(self.gain(tp, fp));
        }
    }

    #[inline(always)]
    fn gain(&self, tp: u64, fp: u64) -> i128 {
        i128::from(tp) * i128::from(self.nonmembers) - i128::from(fp) * i128::from(self.members)
    }

    /// The figures; NaN without members or without non-members.
    pub fn figures(&self) -> Figures {
        if !self.two_sided() {
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

struct Read<'a, S> {
    reader: &'a mut Reader,
    strips: S,
    drawing: Option<&'a mut Thinner>,
}

impl<'b, S: Iterator<Item = &'b [u64]> + Clone> Kernel for Read<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { reader, strips, mut drawing } = self;
        let (mut tp, mut fp) = reader.so_far();
        for part in strips.clone().flat_map(parts) {
            match part {
                Part::Block(block) => reader.block(block, drawing.as_deref_mut()),
                Part::Tie { members, nonmembers } => {
                    reader.vertex(members, nonmembers, drawing.as_deref_mut());
                }
            }
        }
        // Within few blocks there may be more than at the ends of all.
        for part in strips.flat_map(parts) {
            let (members, nonmembers) = match part {
                Part::Block(block) => {
                    if reader.gain(tp + block.members(), fp) > reader.best {
                        reader.look_within(block, tp, fp);
                    }
                    (block.members(), block.nonmembers())
                }
                Part::Tie { members, nonmembers } => (members, nonmembers),
            };
            tp += members;
            fp += nonmembers;
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
