//! How many of many numbers lie below a bound, for many bounds.

use crate::lanes::{Kernel, LANES, TWO_52, Vector, dispatch};

/// Numbers in a node.
const NODE: usize = 2 * LANES;

type Node = [[f64; LANES]; NODE / LANES];

/// Numbers at either end, one of so many, that the grid does not spread out.
const TAIL: usize = 256;

/// Cells of the largest grid: its table stays in the cache.
const CELLS: usize = 1 << 16;

/// Bounds whose cells are found at once.
const CHUNK: usize = 64;

/// Sorted numbers, below a grid and below a tree. The grid tells where to begin to look for a bound, and a look
/// at the [`NODE`] numbers from there on mostly finds its place. Where numbers crowd, the tree finds it: its
/// nodes hold as many numbers each, and every number of a level is the largest of a node of the level below.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shares {
    count: usize,
    /// From the top, which is a single node, to the numbers themselves, after which a node or more is infinite.
    levels: Vec<Vec<Node>>,
    grid: Grid,
}

/// Cells of equal width from `low` on; those at the ends hold everything beyond them, too.
#[derive(Debug, Clone, Default)]
struct Grid {
    low: f64,
    /// Cells per unit.
    scale: f64,
    /// The highest cell, one less than a power of two.
    last: f64,
    /// By cell, how many numbers lie in cells below it.
    starts: Vec<u32>,
}

impl Shares {
    /// Of finite numbers in any order.
    pub fn new(mut numbers: Vec<f64>) -> Self {
        numbers.sort_unstable_by(f64::total_cmp);
        let count = numbers.len();
        let grid = Grid::over(&numbers);
        let mut levels = Vec::new();
        if !numbers.is_empty() {
            numbers.resize(count + NODE, f64::INFINITY);
        }
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
        Self { count, levels, grid }
    }

    /// Puts in the place of each bound the share of the numbers that lies below it. What is not finite
    /// becomes NaN, and so does everything if there are no numbers.
    pub fn below(&self, bounds: &mut [f64]) {
        if self.count == 0 {
            bounds.fill(f64::NAN);
        } else {
            dispatch(Below { shares: self, bounds });
        }
    }

    /// How many numbers lie below a bound: of the nodes of a level, the first whose largest number is not below
    /// it holds its place.
    #[inline(always)]
    fn descend<V: Vector>(&self, at: V) -> usize {
        let mut place = 0;
        for level in &self.levels {
            place = place * NODE + below_of(&level[place], at) as usize;
        }
        place
    }
}

/// How many numbers of a node lie below a bound.
#[inline(always)]
fn below_of<V: Vector>([low, high]: &Node, at: V) -> u32 {
    V::load(low).lanes_below(at).count_ones() + V::load(high).lanes_below(at).count_ones()
}

impl Grid {
    /// A cell a number or two, over all numbers but the tails.
    fn over(numbers: &[f64]) -> Self {
        let Some(end) = numbers.len().checked_sub(1) else { return Self::default() };
        let tail = numbers.len() / TAIL;
        let cells = numbers.len().next_power_of_two().min(CELLS);
        let (low, last) = (numbers[tail], (cells - 1) as f64);
        let scale = last / (numbers[end - tail] - low);
        let mut grid = Self {
            low,
            scale: if scale < f64::INFINITY { scale } else { 0.0 },
            last,
            starts: vec![0; cells],
        };
        for &number in numbers {
            // Counted one cell higher; what lies in the highest one is below none.
            let cell = grid.cell(number);
            if let Some(after) = grid.starts.get_mut(cell + 1) {
                *after += 1;
            }
        }
        let mut below = 0;
        for start in &mut grid.starts {
            below += *start;
            *start = below;
        }
        grid
    }

    /// The cell of a number: it never falls while numbers rise. Of what is not a number any.
    #[inline(always)]
    fn cell(&self, number: f64) -> usize {
        let x = (number - self.low) * self.scale;
        let x = if x > 0.0 { x } else { 0.0 };
        let x = if x < self.last { x } else { self.last };
        (x + TWO_52).to_bits() as u32 as usize & (self.starts.len() - 1)
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
        let Self { shares, bounds } = self;
        let Some(numbers) = shares.levels.last() else { return };
        let (numbers, count) = (numbers.as_flattened().as_flattened(), shares.count as f64);
        for bounds in bounds.chunks_mut(CHUNK) {
            let mut places = [0; CHUNK];
            for (place, bound) in places.iter_mut().zip(&*bounds) {
                *place = shares.grid.cell(*bound) as u32;
            }
            for (place, bound) in places.iter_mut().zip(&*bounds) {
                let (at, start) = (V::splat(*bound), shares.grid.starts[*place as usize]);
                // What lies in higher cells is not below it.
                let node =
                    numbers[start as usize..].first_chunk::<NODE>().expect("a node follows the last one");
                let below = below_of(node.as_chunks().0.first_chunk().expect("two halves"), at);
                *place = if below < NODE as u32 { start + below } else { shares.descend(at) as u32 };
            }
            for (bound, place) in bounds.iter_mut().zip(places) {
                *bound = if bound.abs() < f64::INFINITY { f64::from(place) / count } else { f64::NAN };
            }
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

    /// Numbers that crowd, and some that lie far off: the grid spreads out none of them.
    #[test]
    fn numbers_that_crowd_are_counted() {
        let crowd = (0..3000).map(|i| 1e-9 * f64::from(i % 700));
        let numbers: Vec<f64> = crowd.chain([f64::MIN, -5e8, 1.0, 2.0, 7e7, f64::MAX]).collect();
        let apart = [f64::MIN, -5e8, -1.0, 0.5, 1.0, 1.5, 2.0, 7e7, 8e7, f64::MAX];
        let bounds: Vec<f64> = (-5..710).map(|i| 1e-9 * f64::from(i)).chain(apart).collect();
        for numbers in [numbers.clone(), vec![3.5; 40], vec![-2.0, 5.0], numbers[..2990].to_vec()] {
            let below = |bound: f64| numbers.iter().filter(|&&number| number < bound).count() as f64;
            let expected: Vec<f64> =
                bounds.iter().map(|&bound| below(bound) / numbers.len() as f64).collect();
            let shares = Shares::new(numbers.clone());
            for found in on_every_level(|| {
                let mut found = bounds.clone();
                shares.below(&mut found);
                found
            }) {
                assert_eq!(found, expected);
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
