//! The references of every target: the other shadows' signals, IN and OUT, as centre and squares.
//!
//! Every shadow is the target once. Its own side is that side less the target; the other side may give one
//! up too, so that the counts do not tell the sides apart. All of it comes from two passes over a record's
//! signals and one step per target, not from a pass per target.

mod in_order;
mod leave_one_out;
mod median;

use std::ops::Range;

use crate::config::{Center, Counts};
use crate::design::Blocks;
use crate::lanes::{Column, LANES, Vector, dispatch, padded};
use leave_one_out::{Drop, LeaveOneOut, Side, weigh};
use median::Medians;
pub(crate) use median::Middle;

/// Which other shadows are a target's references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// All but the target itself, evened out by a rule.
    LeaveOneOut(Counts),
    /// For attacks with OUT references only: they are evened out between targets that are OUT and those
    /// that are IN, whatever the IN side holds.
    OutsideOnly(Counts),
    /// Those of the blocks before the target's: figures that are never revised (Dawid 1984).
    EarlierBlocks,
}

/// What every target's references come to, as columns over the targets: `own` is the side that the target
/// is on, `other` the opposite one.
///
/// Columns are [`padded`]; where a target gives no signal they hold finite numbers without a meaning, and
/// both weights are 0.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// 1 where the target is IN and gives a signal, else 0.
    pub inside: Column,
    /// 1 where the target is OUT and gives a signal, else 0.
    pub outside: Column,
    pub own: Columns,
    pub other: Columns,
    /// Squares of the other side, which targets of one block and side share.
    pub tables: Tables,
    /// How many references there are.
    pub spans: Vec<Span>,
    shadows: usize,
    /// The signals, 0 where absent.
    signals: Column,
    /// Signals less their side's mean, 0 where absent.
    centred: Column,
    /// IN and OUT.
    sides: [Side; 2],
    /// What [`Tables::spread`] writes to.
    shared: Column,
    values: Vec<f64>,
}

/// One side of every target's references.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    /// The target's signal less the references' centre.
    pub deviation: Column,
    /// Squared deviations of the references from their mean, summed.
    pub squares: Column,
}

/// What the targets of one block and side share, `[IN, OUT][block]` by the side of the target.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Number of references on the other side.
    pub n: [Vec<f64>; 2],
    /// Their squares.
    pub squares: [Vec<f64>; 2],
    /// Their centre, less the pilot of that side.
    centre: [Vec<f64>; 2],
}

/// Numbers of references for a run of targets, `[IN, OUT]` by the side of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub targets: Range<usize>,
    pub own: [u32; 2],
    pub other: [u32; 2],
}

impl References {
    /// Fills in the references for one channel of one record: `signals` per shadow (absent: not finite),
    /// `column` the membership bits of its unit.
    pub fn fill(&mut self, scheme: Scheme, center: Center, signals: &[f64], column: &[u64], blocks: &Blocks) {
        self.reset(signals, blocks);
        let (drop, even_only) = match scheme {
            Scheme::LeaveOneOut(Counts::Equal) | Scheme::OutsideOnly(Counts::Equal) => {
                (Drop::FirstOfBlock, false)
            }
            Scheme::LeaveOneOut(Counts::All) | Scheme::OutsideOnly(Counts::All) => (Drop::Nothing, false),
            Scheme::OutsideOnly(Counts::First) => (Drop::Last, false),
            // Where both sides are as many, the target's own one is all that is left of it, and the other
            // one gives up its last.
            Scheme::LeaveOneOut(Counts::First) => (Drop::Last, true),
            Scheme::EarlierBlocks => {
                weigh(column, &mut self.signals, &mut self.inside, &mut self.outside);
                return self.fill_in_order(scheme, center, blocks);
            }
        };
        if !dispatch(LeaveOneOut { references: self, column, blocks, drop, even_only }) {
            return self.fill_in_order(scheme, center, blocks);
        }
        if center == Center::Median {
            dispatch(Medians { references: self, blocks, drop });
        }
    }

    /// Targets, without the lanes beyond the last.
    pub fn shadows(&self) -> usize {
        self.shadows
    }

    /// The signals, 0 where there is none, in whole lanes.
    pub fn signals(&self) -> &[f64] {
        &self.signals
    }

    fn reset(&mut self, signals: &[f64], blocks: &Blocks) {
        if self.signals.len() != padded(signals.len()) {
            let columns = [&mut self.inside, &mut self.outside, &mut self.signals, &mut self.centred];
            let own = [&mut self.own.deviation, &mut self.own.squares];
            let other = [&mut self.other.deviation, &mut self.other.squares, &mut self.shared];
            let all = columns.into_iter().chain(own).chain(other);
            all.for_each(|column| *column = Column::zeroes(signals.len()));
        }
        if self.tables.n[0].len() != blocks.count() {
            let tables = self.tables.n.iter_mut().chain(&mut self.tables.squares);
            for table in tables.chain(&mut self.tables.centre) {
                *table = vec![0.0; blocks.count()];
            }
        }
        self.signals[..signals.len()].copy_from_slice(signals);
        self.signals[signals.len()..].fill(f64::NAN);
        self.spans.clear();
        self.shadows = signals.len();
    }
}

impl Tables {
    /// Writes to every target what the targets of its block and side share: `table` is `[IN, OUT][block]`,
    /// `inside` the weights and `column` the result, both in whole lanes.
    #[inline(always)]
    pub fn spread<V: Vector>(table: [&[f64]; 2], inside: &[f64], block: usize, column: &mut [f64]) {
        let tables = table[0].iter().zip(table[1]).enumerate();
        if block < LANES {
            for (index, (&for_in, &for_out)) in tables {
                for target in index * block..(index + 1) * block {
                    column[target] = if inside[target] > 0.0 { for_in } else { for_out };
                }
            }
            return;
        }
        let last = column.len() - LANES;
        for (index, (&for_in, &for_out)) in tables {
            let (for_in, for_out) = (V::splat(for_in), V::splat(for_out));
            for start in (index * block..(index + 1) * block).step_by(LANES) {
                // What goes beyond the block is overwritten by the next one; and the last lanes are all of
                // the last block, or beyond it.
                let start = start.min(last);
                let lanes = |column: &[f64]| *column[start..].first_chunk::<LANES>().expect("whole lanes");
                let inside = V::load(&lanes(inside));
                let to = column[start..].first_chunk_mut::<LANES>().expect("whole lanes");
                inside.pick(for_in, for_out).store(to);
            }
        }
    }
}
