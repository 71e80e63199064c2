//! From the scores of single channels to the score of a record.

use crate::lanes::{Column, Kernel, LANES, Vector, dispatch};
use crate::signal::View;

/// What an attack finds on one channel, one query of one label: columns over the targets, in whole lanes.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The score; anything not finite is absent.
    pub score: Column,
    /// 1 where the variance floor acted, else 0.
    pub floored: Column,
}

/// Buffers for adding channels up.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    found: Found,
    sum: Column,
    number: Column,
    floored: Column,
}

impl Channels {
    /// The score of a record: the sum over its known labels of the mean over the queries that have one;
    /// NaN if a known label has none at all, or no label is known. `each` finds the scores of a channel
    /// from its signals. Returns the number of scores in which the floor acted.
    pub fn score(
        &mut self,
        view: &View<'_>,
        scores: &mut [f64],
        mut each: impl FnMut(&[f64], &mut Found),
    ) -> u64 {
        let shadows = scores.len();
        let columns = [&mut self.found.score, &mut self.found.floored, &mut self.sum, &mut self.number];
        for column in columns.into_iter().chain([&mut self.floored]) {
            column.fit(shadows);
        }
        if view.queries * view.labels == 1 {
            each(view.signals, &mut self.found);
            let Found { score, floored } = &self.found;
            scores.copy_from_slice(&score[..shadows]);
            return dispatch(Count { score, floored }) as u64;
        }
        self.floored.fill(0.0);
        scores.fill(if view.present.contains(&true) { 0.0 } else { f64::NAN });
        for label in (0..view.labels).filter(|&label| view.present[label]) {
            self.sum.fill(0.0);
            self.number.fill(0.0);
            for query in 0..view.queries {
                let channel = query * view.labels + label;
                each(&view.signals[channel * shadows..(channel + 1) * shadows], &mut self.found);
                let Self { found, sum, number, floored } = self;
                dispatch(Add { found, sum, number, floored });
            }
            for ((score, sum), number) in scores.iter_mut().zip(&*self.sum).zip(&*self.number) {
                *score += sum / number;
            }
        }
        let there = scores.iter().zip(&*self.floored);
        there.filter(|(score, floored)| score.is_finite() && **floored > 0.0).count() as u64
    }
}

/// The signals of every channel of the labels that are known.
pub(crate) fn each_channel<'a>(view: &View<'a>, shadows: usize) -> impl Iterator<Item = &'a [f64]> {
    let (labels, present) = (view.labels, view.present);
    let channels = view.signals.chunks_exact(shadows).enumerate();
    channels.filter(move |(channel, _)| present[channel % labels]).map(|(_, signals)| signals)
}

/// Adds a channel to the sum over queries.
struct Add<'a> {
    found: &'a Found,
    sum: &'a mut [f64],
    number: &'a mut [f64],
    floored: &'a mut [f64],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        add(&self.found.score, &self.found.floored, self.sum, self.number, self.floored);
    }
}

#[inline(always)]
fn add(score: &[f64], acted: &[f64], sum: &mut [f64], number: &mut [f64], floored: &mut [f64]) {
    let length = sum.len();
    let (score, acted) = (&score[..length], &acted[..length]);
    let (number, floored) = (&mut number[..length], &mut floored[..length]);
    for i in 0..length {
        let there = score[i].abs() < f64::INFINITY;
        sum[i] += if there { score[i] } else { 0.0 };
        number[i] += if there { 1.0 } else { 0.0 };
        floored[i] += if there { acted[i] } else { 0.0 };
    }
}

/// The number of scores in which the floor acted.
struct Count<'a> {
    score: &'a [f64],
    floored: &'a [f64],
}

impl Kernel for Count<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<V: Vector>(self) -> f64 {
        let mut sum = V::splat(0.0);
        let chunks = self.score.as_chunks::<LANES>().0.iter().zip(self.floored.as_chunks::<LANES>().0);
        for (score, floored) in chunks {
            // x - x is 0 where x is finite, and not a number elsewhere.
            let (score, none) = (V::load(score), V::splat(0.0));
            let there = score.sub(score).below(V::splat(1.0));
            sum = sum.add(none.below(V::load(floored)).mul(there));
        }
        sum.total()
    }
}
