//! Permutation p values of one outcome: omnibus per partition, and per group adjusted over all groups.
//!
//! Under the null the outcome does not depend on the groups among the patients of a stratum, so outcomes are
//! permuted within strata, for all partitions at once, which keeps how they go together. The statistic of a
//! group is its deviate: its count less the null mean, in null standard deviations. That of a partition is
//! the sum of its groups' squared deviates, each weighted by the share of patients outside the group: in one
//! stratum it is Pearson's chi-squared times (n - 1) / n, the statistic of general association.

use rayon::prelude::*;
use umbra_core::seed::{Purpose, Seed};

use super::findings::Omnibus;
use super::outcome::{Outcome, amount, code};
use super::table::Table;
use super::urn::Urns;

/// Permutations that share a random stream.
const CHUNK: usize = 64;

/// The permutation distribution of one outcome.
pub(super) struct Null<'a> {
    table: &'a Table,
    outcome: Outcome,
    /// What a patient tied at the cut counts.
    tied: f64,
    /// Per group: mean and variance of its count under permutation.
    pub mean: Vec<f64>,
    variance: Vec<f64>,
    /// Per group: the share of the patients outside it.
    outside: Vec<f64>,
    /// Per partition: mean of its omnibus statistic.
    degrees: Vec<f64>,
}

/// p values of an outcome, per partition and per group (numbered through).
pub(super) struct PValues {
    pub omnibus: Vec<Omnibus>,
    pub groups: Vec<f64>,
}

/// How often permutations reached what was found.
#[derive(Clone)]
struct Reached {
    omnibus: Vec<u64>,
    adjusted: Vec<u64>,
    groups: Vec<u64>,
}

/// Statistics of the real outcomes or of permuted ones.
#[derive(Default)]
struct Statistics {
    /// Per group: the size of its deviate.
    deviates: Vec<f64>,
    /// Per partition.
    omnibus: Vec<f64>,
    /// The omnibus statistics on a scale on which partitions can be compared.
    comparable: Vec<f64>,
}

impl<'a> Null<'a> {
    /// `tied`: what a patient tied at the cut counts.
    pub fn new(table: &'a Table, outcome: Outcome, tied: f64) -> Self {
        let groups = table.groups;
        let (mut mean, mut variance, mut outside) = (vec![0.0; groups], vec![0.0; groups], vec![0.0; groups]);
        table.margins(|all, group, part| {
            let [without, with, at_cut] = outcome.counts(all).map(f64::from);
            let (n, size) = (f64::from(all.patients), f64::from(part.patients));
            mean[group] += size * (with + tied * at_cut) / n;
            if n > 1.0 {
                // n^2 times the variance of one patient's count, from pairs of classes: exactly 0 if there
                // is one class only. Without ties this is the hypergeometric variance.
                let spread =
                    without * with + at_cut * (with * (1.0 - tied) * (1.0 - tied) + without * tied * tied);
                variance[group] += size * (n - size) * spread / (n * n * (n - 1.0));
            }
            outside[group] += size;
        });
        let all: f64 = table.tallies.iter().map(|tally| f64::from(tally.patients)).sum();
        outside.iter_mut().for_each(|size| *size = (all - *size) / all);
        let mut null = Self { table, outcome, tied, mean, variance, outside, degrees: Vec::new() };
        null.degrees = (0..table.offsets.len())
            .map(|partition| {
                let varies = null.groups_of(partition).filter(|&group| null.variance[group] > 0.0);
                varies.map(|group| null.outside[group]).sum()
            })
            .collect();
        null
    }

    /// The groups of a partition.
    pub fn groups_of(&self, partition: usize) -> std::ops::Range<usize> {
        let start = self.table.offsets[partition] as usize;
        start..start + self.table.groupings[partition].groups.len()
    }

    /// What was found, as sums of codes per group.
    fn observed(&self) -> Vec<i64> {
        let mut counters = vec![0; self.table.counters];
        for (cell, tally) in self.table.tallies.iter().enumerate() {
            let by_class = self.outcome.counts(tally);
            let sum = (0..by_class.len()).map(|class| code(class) * i64::from(by_class[class])).sum();
            self.table.add(cell, sum, &mut counters);
        }
        let mut counts = Vec::new();
        self.table.count(&counters, &mut counts);
        counts
    }

    /// Every group's amount: patients of whom the outcome holds, fractions of those tied.
    pub fn amounts(&self) -> Vec<f64> {
        self.observed().into_iter().map(|sum| amount(sum, self.tied)).collect()
    }

    /// An amount's deviation from the mean of a group, in standard deviations; 0 where nothing can vary.
    pub fn deviate(&self, group: usize, amount: f64) -> f64 {
        let variance = self.variance[group];
        if variance > 0.0 { (amount - self.mean[group]) / variance.sqrt() } else { 0.0 }
    }

    fn statistics(&self, counts: &[i64], into: &mut Statistics) {
        let deviates = counts.iter().enumerate();
        into.deviates.clear();
        into.deviates.extend(deviates.map(|(group, &sum)| self.deviate(group, amount(sum, self.tied)).abs()));
        into.omnibus.clear();
        into.comparable.clear();
        for (partition, &degrees) in self.degrees.iter().enumerate() {
            let squares = self
                .groups_of(partition)
                .map(|group| self.outside[group] * into.deviates[group] * into.deviates[group]);
            let omnibus: f64 = squares.sum();
            into.omnibus.push(omnibus);
            // The cube root of chi-squared over its degrees is nearly normal (Wilson and Hilferty 1931,
            // doi 10.1073/pnas.17.12.684).
            let spread = 2.0 / (9.0 * degrees);
            into.comparable.push(match degrees > 0.0 {
                true => (libm::cbrt(omnibus / degrees) - (1.0 - spread)) / spread.sqrt(),
                false => f64::NEG_INFINITY,
            });
        }
    }

    /// Permutes; the p values hold for any number of permutations (Phipson and Smyth 2010,
    /// doi 10.2202/1544-6115.1585). Adjusted ones are those of the single-step maximum (Westfall and Young
    /// 1993).
    pub fn p_values(&self, seed: &Seed, permutations: usize) -> PValues {
        let mut found = Statistics::default();
        self.statistics(&self.observed(), &mut found);
        let none = || Reached {
            omnibus: vec![0; found.omnibus.len()],
            adjusted: vec![0; found.omnibus.len()],
            groups: vec![0; found.deviates.len()],
        };
        let urns = Urns::new(self.table, self.outcome);
        let reached = (0..permutations.div_ceil(CHUNK))
            .into_par_iter()
            .map(|chunk| {
                let path = [self.outcome as u64, chunk as u64];
                let mut drawer = urns.drawer(seed.stream(Purpose::GroupPermutation, &path));
                let (mut reached, mut permuted) = (none(), Statistics::default());
                for _ in chunk * CHUNK..((chunk + 1) * CHUNK).min(permutations) {
                    self.statistics(drawer.draw(), &mut permuted);
                    reached.count(&permuted, &found);
                }
                reached
            })
            .reduce(none, Reached::plus);
        let p = |reached: u64| (reached + 1) as f64 / (permutations + 1) as f64;
        let omnibus: Vec<Omnibus> = reached
            .omnibus
            .into_iter()
            .zip(reached.adjusted)
            .map(|(alone, adjusted)| Omnibus { p: p(alone), p_adjusted: p(adjusted) })
            .collect();
        let mut groups: Vec<f64> = reached.groups.into_iter().map(p).collect();
        for (partition, omnibus) in omnibus.iter().enumerate() {
            groups[self.groups_of(partition)].iter_mut().for_each(|p| *p = p.max(omnibus.p));
        }
        PValues { omnibus, groups }
    }
}

/// Whether a permuted statistic is as large as the one found. Equal counts give equal statistics up to the
/// rounding of sums; a tie counts against the finding.
fn reaches(permuted: f64, found: f64) -> bool {
    permuted >= found - 1e-9 * found.abs()
}

fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

impl Reached {
    fn count(&mut self, permuted: &Statistics, found: &Statistics) {
        let compare = |counts: &mut [u64], found: &[f64], permuted: &dyn Fn(usize) -> f64| {
            for (i, (count, &found)) in counts.iter_mut().zip(found).enumerate() {
                *count += u64::from(reaches(permuted(i), found));
            }
        };
        let (group, partition) = (highest(&permuted.deviates), highest(&permuted.comparable));
        compare(&mut self.omnibus, &found.omnibus, &|i| permuted.omnibus[i]);
        compare(&mut self.adjusted, &found.comparable, &|_| partition);
        compare(&mut self.groups, &found.deviates, &|_| group);
    }

    fn plus(mut self, other: Self) -> Self {
        let add = |counts: &mut [u64], more: Vec<u64>| counts.iter_mut().zip(more).for_each(|(a, b)| *a += b);
        add(&mut self.omnibus, other.omnibus);
        add(&mut self.adjusted, other.adjusted);
        add(&mut self.groups, other.groups);
        self
    }
}
