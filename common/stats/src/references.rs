//! The references of every target: the moments of the signals of the other shadows, IN and OUT.

use crate::config::Counts;
use crate::design::Blocks;
use crate::moments::Moments;

/// Which other shadows are a target's references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// All but the target itself, evened out by a rule.
    LeaveOneOut(Counts),
    /// Those of the blocks before the target's: figures that are never revised (Dawid 1984).
    EarlierBlocks,
}

/// IN and OUT moments for every shadow as target; none (n = 0) where the target gives no signal.
#[derive(Debug, Clone, Default)]
pub(crate) struct References {
    pub inside: Vec<Moments>,
    pub outside: Vec<Moments>,
    sides: [Side; 2],
}

/// The shadows of one side that give a signal, in shadow order.
#[derive(Debug, Clone, Default)]
struct Side {
    shadows: Vec<u32>,
    values: Vec<f64>,
}

impl References {
    /// Fills in the references for one query of one record: `signals` per shadow (absent: not finite),
    /// `column` the membership bits of its unit.
    pub fn fill(&mut self, scheme: Scheme, signals: &[f64], column: &[u64], blocks: &Blocks) {
        for moments in [&mut self.inside, &mut self.outside] {
            moments.clear();
            moments.resize(signals.len(), Moments::default());
        }
        for side in &mut self.sides {
            side.shadows.clear();
            side.values.clear();
        }
        for (shadow, &signal) in signals.iter().enumerate() {
            if signal.is_finite() {
                let inside = column[shadow / 64] >> (shadow % 64) & 1 == 1;
                let side = &mut self.sides[usize::from(!inside)];
                side.shadows.push(shadow as u32);
                side.values.push(signal);
            }
        }
        let [inside, outside] = &self.sides;
        match scheme {
            Scheme::LeaveOneOut(Counts::First) => {
                cut_to_first(inside, outside, &mut self.inside, &mut self.outside);
                cut_to_first(outside, inside, &mut self.outside, &mut self.inside);
            }
            Scheme::LeaveOneOut(counts) => {
                let equal = counts == Counts::Equal;
                leave_one_out(inside, outside, equal, blocks.size, &mut self.inside, &mut self.outside);
                leave_one_out(outside, inside, equal, blocks.size, &mut self.outside, &mut self.inside);
            }
            Scheme::EarlierBlocks => {
                for block in 1..blocks.count() {
                    let targets = block * blocks.size..(block + 1) * blocks.size;
                    for (side, moments) in [(inside, &mut self.inside), (outside, &mut self.outside)] {
                        let earlier = side.shadows.partition_point(|&s| (s as usize) < targets.start);
                        moments[targets.clone()].fill(Moments::of(side.values[..earlier].iter().copied()));
                    }
                    for target in targets.filter(|&target| !signals[target].is_finite()) {
                        self.inside[target] = Moments::default();
                        self.outside[target] = Moments::default();
                    }
                }
            }
        }
    }
}

/// References of the targets on side `own`: that side less the target; and the other side, less the first
/// shadow of the target's block if the counts are to be equal. A block whose other side was lost gives up
/// the first shadow of all, so that the counts do not tell on which side the target is.
fn leave_one_out(
    own: &Side,
    other: &Side,
    equal: bool,
    block: usize,
    own_moments: &mut [Moments],
    other_moments: &mut [Moments],
) {
    let own_full = Moments::of(own.values.iter().copied());
    let other_full = Moments::of(other.values.iter().copied());
    let (mut current, mut reduced) = (usize::MAX, other_full);
    for (index, &shadow) in own.shadows.iter().enumerate() {
        let target = shadow as usize;
        if equal && !other.values.is_empty() && target / block != current {
            current = target / block;
            let first = other.shadows.partition_point(|&s| (s as usize) < current * block);
            let in_block = other.shadows.get(first).is_some_and(|&s| s as usize / block == current);
            reduced = other_full.without(&other.values, if in_block { first } else { 0 });
        }
        own_moments[target] = own_full.without(&own.values, index);
        other_moments[target] = reduced;
    }
}

/// References of the targets on side `own`: the first n of each side in shadow order, the target left
/// out, n being the smaller number at hand.
fn cut_to_first(own: &Side, other: &Side, own_moments: &mut [Moments], other_moments: &mut [Moments]) {
    let n = own.values.len().saturating_sub(1).min(other.values.len());
    if n == 0 {
        return;
    }
    let first = |side: &Side, n: usize| Moments::of(side.values[..n].iter().copied());
    // A target among the first n makes room for the one after them.
    let (plain, extended) = (first(own, n), first(own, n + 1));
    let other_first = first(other, n);
    for (index, &shadow) in own.shadows.iter().enumerate() {
        own_moments[shadow as usize] =
            if index < n { extended.without(&own.values[..=n], index) } else { plain };
        other_moments[shadow as usize] = other_first;
    }
}
