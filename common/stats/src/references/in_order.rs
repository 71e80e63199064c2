//! References by their place in shadow order: the first so many, or those of earlier blocks.

use super::median::Middle;
use super::{References, Scheme, Span};
use crate::config::Center;
use crate::design::Blocks;
use crate::moments::Moments;

/// The shadows of one side that give a signal, in shadow order, with their signals.
type Side = Vec<(usize, f64)>;

/// Centre and squares of the first so many of a side.
struct First<'a> {
    values: Vec<f64>,
    moments: Moments,
    middle: Option<Middle>,
    side: &'a [(usize, f64)],
}

impl<'a> First<'a> {
    fn new(side: &'a [(usize, f64)], n: usize, center: Center) -> Self {
        let values: Vec<f64> = side[..n].iter().map(|(_, value)| *value).collect();
        let moments = Moments::of(values.iter().copied());
        let middle = (center == Center::Median).then(|| Middle::of(&mut values.clone()));
        Self { values, moments, middle, side }
    }

    fn centre(&self) -> f64 {
        self.middle.map_or(self.moments.mean, |middle| middle.all)
    }

    /// Centre and squares less the one at `index`.
    fn without(&self, index: usize) -> (f64, f64) {
        let rest = self.moments.without(&self.values, index);
        (self.middle.map_or(rest.mean, |middle| middle.without(self.side[index].1)), rest.ss)
    }
}

impl References {
    /// [`References::fill`] for the schemes that go by shadow order, once signals have their weights.
    pub(super) fn fill_in_order(&mut self, scheme: Scheme, center: Center, blocks: &Blocks) {
        let side = |weights: &[f64]| -> Side {
            let there = self.signals.iter().zip(weights).enumerate();
            there.filter(|(_, (_, weight))| **weight != 0.0).map(|(s, (signal, _))| (s, *signal)).collect()
        };
        let sides = [side(&self.inside), side(&self.outside)];
        if scheme == Scheme::EarlierBlocks {
            self.earlier_blocks(&sides, center, blocks);
        } else {
            self.first_of_both(&sides, center);
        }
    }

    /// The first n of each side, the target left out, n being the smaller number at hand.
    fn first_of_both(&mut self, sides: &[Side; 2], center: Center) {
        let mut span = Span { targets: 0..self.signals.len(), own: [0; 2], other: [0; 2] };
        for target in 0..2 {
            let (own, other) = (&sides[target], &sides[1 - target]);
            let n = own.len().saturating_sub(1).min(other.len());
            (span.own[target], span.other[target]) = (n as u32, n as u32);
            let (others, plain) = (First::new(other, n, center), First::new(own, n.min(own.len()), center));
            // A target among the first n makes room for the one after them.
            let extended = First::new(own, (n + 1).min(own.len()), center);
            for (index, &(shadow, signal)) in own.iter().enumerate() {
                let (centre, squares) =
                    if index < n { extended.without(index) } else { (plain.centre(), plain.moments.ss) };
                self.set(shadow, signal, (centre, squares), (others.centre(), others.moments.ss));
            }
            self.tables.n[target].fill(n as f64);
            self.tables.squares[target].fill(others.moments.ss);
        }
        self.spans.push(span);
    }

    /// The blocks before the target's, both sides whole.
    fn earlier_blocks(&mut self, sides: &[Side; 2], center: Center, blocks: &Blocks) {
        for block in 0..blocks.count() {
            let targets = block * blocks.size..(block + 1) * blocks.size;
            let earlier = [&sides[0], &sides[1]].map(|side| {
                let n = side.partition_point(|(shadow, _)| *shadow < targets.start);
                First::new(side, n, center)
            });
            let found = [&earlier[0], &earlier[1]].map(|side| (side.centre(), side.moments.ss));
            let n = [&earlier[0], &earlier[1]].map(|side| side.moments.n);
            for (target, side) in sides.iter().enumerate() {
                let here = side.iter().filter(|(shadow, _)| targets.contains(shadow));
                here.for_each(|&(shadow, signal)| {
                    self.set(shadow, signal, found[target], found[1 - target]);
                });
                self.tables.n[target][block] = f64::from(n[1 - target]);
                self.tables.squares[target][block] = found[1 - target].1;
            }
            self.spans.push(Span { targets, own: n, other: [n[1], n[0]] });
        }
    }

    fn set(&mut self, shadow: usize, signal: f64, own: (f64, f64), other: (f64, f64)) {
        (self.own.deviation[shadow], self.own.squares[shadow]) = (signal - own.0, own.1);
        (self.other.deviation[shadow], self.other.squares[shadow]) = (signal - other.0, other.1);
    }
}
