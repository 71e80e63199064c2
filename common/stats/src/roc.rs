//! ROC curves, exact: tied scores form one vertex, counts are integers, nothing is thinned before a
//! figure is read off.

use rayon::prelude::*;

use crate::analysis::{FPRS, Figures, PerTarget, RocCurve};
use crate::curve::{FigureReader, Grids, Thinner};
use crate::inputs::Checked;
use crate::scores::ScoreMatrix;
use crate::sort;

/// A ROC curve's figures and drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Roc {
    /// The figures, from every vertex; NaN without members or without non-members.
    pub figures: Figures,
    /// Scores of members.
    pub members: u64,
    /// Scores of non-members.
    pub nonmembers: u64,
    /// The curve, thinned for drawing.
    pub curve: RocCurve,
}

/// The ROC curve of scores, higher meaning member. Non-finite scores are absent.
pub fn roc(members: &[f64], nonmembers: &[f64]) -> Roc {
    let keys = |scores: &[f64]| -> Vec<u64> {
        scores.iter().copied().filter(|score| score.is_finite()).map(sort::key).collect()
    };
    pool(&[Sides::sorted(keys(members), keys(nonmembers))])
}

/// The AUC of unsorted keys; NaN if there are none of one kind.
pub(crate) fn auc_of_keys(members: Vec<u64>, nonmembers: Vec<u64>) -> f64 {
    Sides::sorted(members, nonmembers).figures().auc
}

/// The pooled curve over all (target, record) pairs.
pub(crate) fn pooled(scores: &ScoreMatrix, checked: &Checked<'_>) -> Roc {
    pool(&targets(scores, checked))
}

/// The pooled curve, and the figures target by target.
pub(crate) fn pooled_and_per_target(scores: &ScoreMatrix, checked: &Checked<'_>) -> (Roc, PerTarget) {
    let targets = targets(scores, checked);
    let figures: Vec<Figures> = targets.par_iter().map(Sides::figures).collect();
    (pool(&targets), per_target(&figures))
}

fn targets(scores: &ScoreMatrix, checked: &Checked<'_>) -> Vec<Sides> {
    (0..checked.shape.shadows)
        .into_par_iter()
        .map(|target| {
            let (mut members, mut nonmembers) = (Vec::new(), Vec::new());
            for (&score, &unit) in scores.row(target).iter().zip(checked.units) {
                if score.is_finite() {
                    let inside = checked.membership.is_in(target, unit as usize);
                    if inside { &mut members } else { &mut nonmembers }.push(sort::key(score));
                }
            }
            Sides::sorted(members, nonmembers)
        })
        .collect()
}

/// Keys in a band: few enough to be sorted within a core's cache.
const BAND: usize = 1 << 14;

/// The curve of all targets together. The scores are cut into bands, all keys of a band lying below those
/// of the next; a band's keys are slices of the sorted targets, and the bands are read side by side. Cuts
/// fall between different scores, so where they fall changes nothing.
fn pool(targets: &[Sides]) -> Roc {
    let total = |side: fn(&Sides) -> &Vec<u64>| targets.iter().map(|sides| side(sides).len()).sum::<usize>();
    let (members, nonmembers) = (total(|sides| &sides.members), total(|sides| &sides.nonmembers));
    let cuts = cuts(targets, (members + nonmembers) / BAND);
    // Per band, from the lowest: the keys of either side below its upper end.
    let below = |side: fn(&Sides) -> &Vec<u64>, band: usize| -> Vec<usize> {
        let end =
            |keys: &Vec<u64>| cuts.get(band).map_or(keys.len(), |&cut| keys.partition_point(|&k| k < cut));
        targets.iter().map(|sides| end(side(sides))).collect()
    };
    let grids = Grids::new(members as u64, nonmembers as u64);
    let pieces: Vec<(FigureReader, RocCurve)> = (0..=cuts.len())
        .into_par_iter()
        .map(|band| {
            let gather = |side: fn(&Sides) -> &Vec<u64>| {
                let ends = below(side, band);
                let starts = if band == 0 { vec![0; targets.len()] } else { below(side, band - 1) };
                let above: usize =
                    targets.iter().zip(&ends).map(|(sides, &end)| side(sides).len() - end).sum();
                let mut keys = Vec::with_capacity(ends.iter().sum::<usize>() - starts.iter().sum::<usize>());
                for ((sides, start), end) in targets.iter().zip(starts).zip(ends) {
                    keys.extend_from_slice(&side(sides)[start..end]);
                }
                (keys, above as u64)
            };
            let (members_here, tp) = gather(|sides| &sides.members);
            let (nonmembers_here, fp) = gather(|sides| &sides.nonmembers);
            let here = Sides::sorted(members_here, nonmembers_here);
            let mut reader = FigureReader::new(members as u64, nonmembers as u64, (tp, fp));
            let mut thinner = Thinner::new(&grids, (tp, fp));
            here.vertices(|more_tp, more_fp| {
                reader.visit(tp + more_tp, fp + more_fp);
                thinner.visit(tp + more_tp, fp + more_fp);
            });
            (reader, thinner.curve(band == 0))
        })
        .collect();
    let mut whole = FigureReader::new(members as u64, nonmembers as u64, (0, 0));
    let mut curve = RocCurve::default();
    for (reader, piece) in pieces.iter().rev() {
        whole.join(reader);
        curve.fpr.extend_from_slice(&piece.fpr);
        curve.tpr.extend_from_slice(&piece.tpr);
    }
    Roc { figures: whole.figures(), members: members as u64, nonmembers: nonmembers as u64, curve }
}

/// Ascending cuts that make about `bands` bands of equal size, from a sample of the targets.
fn cuts(targets: &[Sides], bands: usize) -> Vec<u64> {
    if bands < 2 {
        return Vec::new();
    }
    let keys = || targets.iter().flat_map(|sides| [&sides.members, &sides.nonmembers]);
    let every = (keys().map(Vec::len).sum::<usize>() / (bands * 32)).max(1);
    let mut sample: Vec<u64> = keys().flat_map(|keys| keys.iter().step_by(every).copied()).collect();
    sort::sort(&mut sample);
    let mut cuts: Vec<u64> = (1..bands).map(|band| sample[band * sample.len() / bands]).collect();
    cuts.dedup();
    cuts
}

/// Mean and standard deviation (divisor n - 1) over the targets that have figures.
fn per_target(figures: &[Figures]) -> PerTarget {
    let over = |read: &dyn Fn(&Figures) -> f64| {
        let values: Vec<f64> = figures.iter().map(read).filter(|value| value.is_finite()).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { f64::NAN })
    };
    let (auc, accuracy) = (over(&|f| f.auc), over(&|f| f.balanced_accuracy));
    let tpr: [(f64, f64); FPRS.len()] = std::array::from_fn(|i| over(&|f| f.tpr_at_fpr[i]));
    PerTarget {
        mean: Figures { auc: auc.0, balanced_accuracy: accuracy.0, tpr_at_fpr: tpr.map(|t| t.0) },
        sd: Figures { auc: auc.1, balanced_accuracy: accuracy.1, tpr_at_fpr: tpr.map(|t| t.1) },
        auc: figures.iter().map(|f| f.auc).collect(),
    }
}

/// The keys of the scores of members and of non-members, ascending.
struct Sides {
    members: Vec<u64>,
    nonmembers: Vec<u64>,
}

impl Sides {
    fn sorted(mut members: Vec<u64>, mut nonmembers: Vec<u64>) -> Self {
        sort::sort(&mut members);
        sort::sort(&mut nonmembers);
        Self { members, nonmembers }
    }

    /// Visits (true positives, false positives) after every distinct score, from the highest down.
    fn vertices(&self, mut visit: impl FnMut(u64, u64)) {
        let (mut members, mut nonmembers) = (&self.members[..], &self.nonmembers[..]);
        let (all_members, all_nonmembers) = (members.len(), nonmembers.len());
        while let Some(&highest) = members.last().max(nonmembers.last()) {
            while let Some((_, rest)) = members.split_last().filter(|(key, _)| **key == highest) {
                members = rest;
            }
            while let Some((_, rest)) = nonmembers.split_last().filter(|(key, _)| **key == highest) {
                nonmembers = rest;
            }
            visit((all_members - members.len()) as u64, (all_nonmembers - nonmembers.len()) as u64);
        }
    }

    fn figures(&self) -> Figures {
        let mut reader = FigureReader::new(self.members.len() as u64, self.nonmembers.len() as u64, (0, 0));
        self.vertices(|tp, fp| reader.visit(tp, fp));
        reader.figures()
    }
}
