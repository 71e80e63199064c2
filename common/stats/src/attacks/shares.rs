//! How many of many numbers lie below a bound, for many bounds.

use crate::lanes::{Kernel, LANES, Vector, dispatch};

/// Numbers in a node.
const NODE: usize = 2 * LANES;

type Node = [[f64; LANES]; NODE / LANES];

/// Sorted numbers, and above them a tree of nodes of [`NODE`] numbers each: every number of a level is the
/// largest of a node of the level below. Finding a place compares with whole nodes at a time and never
/// branches on what it finds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shares {
    count: usize,
    /// From the top, which is a single node, to the numbers themselves; infinite from their end on.
    levels: Vec<Vec<Node>>,
}

impl Shares {
    /// Of finite numbers in any order.
    pub fn new(mut numbers: Vec<f64>) -> Self {
        numbers.sort_unstable_by(f64::total_cmp);
        let count = numbers.len();
        let mut levels = Vec::new();
        while !numbers.is_empty() {
            numbers.resize(numbers.len().next_multiple_of(NODE), f64::INFINITY);
            let nodes: Vec<Node> = numbers.as_chunks().0.as_chunks().0.to_vec();
            numbers.clear();
            if nodes.len() > 1 {
                // What is above all numbers has its place in the last node.
                numbers.extend(nodes[..nodes.len() - 1].iter().map(|node| node.as_flattened()[NODE - 1]));
                numbers.push(f64::INFINITY);
            }
            levels.push(nodes);
        }
        levels.reverse();
        Self { count, levels }
    }

    /// Puts in the place of each bound the share of the numbers that lies below it. What is not finite
    /// becomes NaN, and so does everything if there are no numbers.
    pub fn below(&self, bounds: &mut [f64]) {
        dispatch(Below { shares: self, bounds });
    }
}

struct Below<'a> {
    shares: &'a Shares,
    bounds: &'a mut [f64],
}

impl Kernel for Below<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let count = self.shares.count as f64;
        for bound in self.bounds {
            // Of the nodes of a level, the first whose largest number is not below the bound holds its place.
            let (at, mut place) = (V::splat(*bound), 0);
            for level in &self.shares.levels {
                let node = &level[place];
                let below: u32 = node.iter().map(|half| V::load(half).lanes_below(at).count_ones()).sum();
                place = place * NODE + below as usize;
            }
            *bound = if bound.is_finite() { place as f64 / count } else { f64::NAN };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::on_every_level;

    #[test]
    fn shares_are_counted() {
        for n in [0, 1, 2, 15, 16, 17, 255, 256, 257, 5000] {
            // Every number twice, not in order.
            let numbers: Vec<f64> = (0..n).map(|i| f64::from((i * 7919) % n / 2)).collect();
            let bounds: Vec<f64> = (-2..2600).map(|i| f64::from(i) * 0.5).collect();
            let expected: Vec<f64> = bounds
                .iter()
                .map(|&bound| numbers.iter().filter(|&&number| number < bound).count() as f64 / f64::from(n))
                .collect();
            let shares = Shares::new(numbers);
            for found in on_every_level(|| {
                let mut found = bounds.clone();
                shares.below(&mut found);
                found
            }) {
                assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{n}");
            }
        }
    }

    #[test]
    fn what_is_not_finite_has_no_share() {
        let mut bounds = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0];
        Shares::new(vec![0.0; 40]).below(&mut bounds);
        assert!(bounds[..3].iter().all(|share| share.is_nan()) && bounds[3] == 1.0);
    }
}
