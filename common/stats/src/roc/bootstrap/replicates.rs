//! Figures of resampled histograms.

use std::ops::Range;

use rayon::prelude::*;

use super::histogram::{Histogram, LANES};
use super::sampling::{FEWEST_CLUSTERS, Sampling};
use crate::analysis::{FPRS, Figures, Interval};
use crate::roc::reader::limits;

/// Replicates that are drawn at once.
const BATCH: usize = 512;

/// Fewer sampling units of a kind say too little about how they vary.
const FEWEST_GROUPS: usize = 8;

/// The ends of a 95 % interval.
const ENDS: [f64; 2] = [0.025, 0.975];

impl Sampling {
    /// The interval around the exact figures. The percentiles of the replicates are moved by the difference
    /// of the exact figure and the histogram's own, so that bins do not displace them. `None` with too few
    /// sampling units of a kind to tell how they vary, or no replicates.
    pub(in crate::roc) fn interval(&self, histogram: &Histogram, exact: &Figures) -> Option<Interval> {
        if self.groups < FEWEST_GROUPS || self.clusters < FEWEST_CLUSTERS || self.replicates == 0 {
            return None;
        }
        let whole = Draws {
            groups: vec![(0..self.groups as u16).collect()],
            group_counts: vec![vec![1; self.groups]],
            cluster_counts: vec![vec![1; self.clusters]],
        };
        let binned = values(&figures(&resample(histogram, &whole)[0]));
        let exact = values(exact);
        let mut replicates: Vec<[f64; FIGURES]> = Vec::with_capacity(self.replicates);
        for begin in (0..self.replicates).step_by(BATCH) {
            let draws = self.draws(begin..(begin + BATCH).min(self.replicates));
            replicates.extend(resample(histogram, &draws).iter().map(|bins| values(&figures(bins))));
        }
        let mut ends = [[f64::NAN; FIGURES]; 2];
        for figure in 0..FIGURES {
            let mut drawn: Vec<f64> =
                replicates.iter().map(|values| values[figure]).filter(|value| value.is_finite()).collect();
            drawn.sort_unstable_by(f64::total_cmp);
            for (end, share) in ends.iter_mut().zip(ENDS) {
                end[figure] = (quantile(&drawn, share) + (exact[figure] - binned[figure])).clamp(0.0, 1.0);
            }
        }
        let [low, high] = ends.map(of_values);
        Some(Interval { low, high, patients: self.groups, shadows: self.clusters })
    }

    fn draws(&self, replicates: Range<usize>) -> Draws {
        let mut draws = Draws { groups: Vec::new(), group_counts: Vec::new(), cluster_counts: Vec::new() };
        for replicate in replicates {
            let (groups, clusters) = self.draw(replicate);
            draws.group_counts.push(times(&groups, self.groups));
            draws.cluster_counts.push(times(&clusters, self.clusters));
            draws.groups.push(groups);
        }
        draws
    }
}

/// How often each of so many was drawn.
fn times(drawn: &[u16], of: usize) -> Vec<u32> {
    let mut counts = vec![0; of];
    drawn.iter().for_each(|&item| counts[usize::from(item)] += 1);
    counts
}

/// Resamples.
struct Draws {
    /// Per resample the drawn groups,
    groups: Vec<Vec<u16>>,
    /// and how often each group and each cluster was drawn.
    group_counts: Vec<Vec<u32>>,
    cluster_counts: Vec<Vec<u32>>,
}

/// Per resample and bin, from the top: weighted non-members and members.
fn resample(histogram: &Histogram, draws: &Draws) -> Vec<Vec<[u64; 2]>> {
    let by_bin: Vec<Vec<[u64; 2]>> = (0..histogram.bins())
        .into_par_iter()
        .map(|bin| histogram.read(bin, |counts| resample_bin(counts, histogram.width(), draws)))
        .collect();
    (0..draws.groups.len()).map(|draw| by_bin.iter().map(|bin| bin[draw]).collect()).collect()
}

/// Per resample the weighted non-members and members among the counts `[group][cluster][side]` of a bin.
fn resample_bin(counts: &[u32], width: usize, draws: &Draws) -> Vec<[u64; 2]> {
    let groups = counts.len() / width;
    // Sums of four bytes where they cannot overflow.
    let most = counts.iter().max().map_or(0, |&most| u64::from(most));
    let narrow = most * groups as u64 <= u64::from(u32::MAX);
    // Where scores are few, most groups have none.
    let present: Vec<usize> = (0..groups)
        .filter(|group| counts[group * width..(group + 1) * width].iter().any(|&n| n > 0))
        .collect();
    let sparse = 2 * present.len() < groups;
    let resample = |draw: usize| {
        let mut sums = [0u64; 2];
        for begin in (0..width).step_by(LANES).filter(|_| !present.is_empty()) {
            let cells: [u64; LANES] = if sparse || !narrow {
                add_weighted(counts, width, begin, &present, &draws.group_counts[draw])
            } else {
                add_drawn(counts, width, begin, &draws.groups[draw]).map(u64::from)
            };
            let weights = draws.cluster_counts[draw].get(begin / 2..).unwrap_or(&[]);
            for (cells, &weight) in cells.chunks_exact(2).zip(weights) {
                sums[0] += u64::from(weight) * cells[0];
                sums[1] += u64::from(weight) * cells[1];
            }
        }
        sums
    };
    (0..draws.groups.len()).map(resample).collect()
}

/// Adds up the cells from `begin` on of the rows of the groups that are present, each as often as drawn.
fn add_weighted(
    counts: &[u32],
    width: usize,
    begin: usize,
    present: &[usize],
    weights: &[u32],
) -> [u64; LANES] {
    let mut sums = [0; LANES];
    for &group in present {
        let cells = &counts[group * width + begin..][..LANES];
        for (sum, &cell) in sums.iter_mut().zip(cells) {
            *sum += u64::from(cell) * u64::from(weights[group]);
        }
    }
    sums
}

/// Adds up the cells from `begin` on of the rows of all drawn groups.
fn add_drawn(counts: &[u32], width: usize, begin: usize, drawn: &[u16]) -> [u32; LANES] {
    let mut sums = [0; LANES];
    for &group in drawn {
        let cells = &counts[usize::from(group) * width + begin..][..LANES];
        for (sum, &cell) in sums.iter_mut().zip(cells) {
            *sum += cell;
        }
    }
    sums
}

/// The figures of a histogram of (non-members, members), from the top. Scores of a bin tie; within it, the
/// curve is a straight line.
fn figures(bins: &[[u64; 2]]) -> Figures {
    let total = |side: usize| bins.iter().map(|bin| bin[side]).sum::<u64>();
    let (nonmembers, members) = (total(0), total(1));
    if members == 0 || nonmembers == 0 {
        return of_values([f64::NAN; FIGURES]);
    }
    let limits = limits(nonmembers);
    let (mut tp, mut fp, mut twice_wins, mut best) = (0u64, 0u64, 0u128, 0i128);
    let mut within = [None; FPRS.len()];
    for &[negative, positive] in bins {
        twice_wins += u128::from(negative) * u128::from(2 * tp + positive);
        for (within, limit) in within.iter_mut().zip(limits) {
            if within.is_none() && fp + negative > limit {
                *within = Some(tp as f64 + positive as f64 * ((limit - fp) as f64 / negative as f64));
            }
        }
        tp += positive;
        fp += negative;
        best = best.max(i128::from(tp) * i128::from(nonmembers) - i128::from(fp) * i128::from(members));
    }
    let pairs = members as f64 * nonmembers as f64;
    Figures {
        auc: twice_wins as f64 / (2.0 * pairs),
        balanced_accuracy: 0.5 + 0.5 * (best as f64 / pairs),
        tpr_at_fpr: within.map(|tp| tp.unwrap_or(members as f64) / members as f64),
    }
}

/// Single figures among [`Figures`].
const FIGURES: usize = 2 + FPRS.len();

fn values(figures: &Figures) -> [f64; FIGURES] {
    let [a, b, c, d] = figures.tpr_at_fpr;
    [figures.auc, figures.balanced_accuracy, a, b, c, d]
}

fn of_values([auc, balanced_accuracy, tpr_at_fpr @ ..]: [f64; FIGURES]) -> Figures {
    Figures { auc, balanced_accuracy, tpr_at_fpr }
}

/// The quantile of ascending values, linear between neighbours (Hyndman and Fan 1996, type 7).
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    ascending[below] + (place - below as f64) * (ascending[above] - ascending[below])
}
