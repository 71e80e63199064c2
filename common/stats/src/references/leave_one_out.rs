//! Both sides of a record in two passes, and then less one shadow each.

use super::{References, Span, Tables};
use crate::design::Blocks;
use crate::lanes::{Kernel, LANES, Vector};
use crate::moments::{DOWNDATE_LIMIT, Moments};

/// Which shadow the side that the target is not on gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drop {
    /// The first, in shadow order, of the target's own block; where that block has none, the first of all.
    FirstOfBlock,
    /// The last in shadow order.
    Last,
    Nothing,
}

/// One side of a record: the shadows on it that give a signal.
#[derive(Debug, Clone, Default)]
pub(super) struct Side {
    /// One bit a shadow.
    bits: Vec<u64>,
    pub n: u32,
    /// The signal of the first of them.
    pilot: f64,
    /// Their mean, less the pilot.
    shift: f64,
    /// Their squared deviations from the mean, summed.
    squares: f64,
}

/// Fills in the columns, the tables and one span. Returns whether it did: not where the sides differ in
/// number although they must not.
pub(super) struct LeaveOneOut<'a> {
    pub references: &'a mut References,
    pub column: &'a [u64],
    pub blocks: &'a Blocks,
    pub drop: Drop,
    pub even_only: bool,
}

impl Kernel for LeaveOneOut<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<V: Vector>(self) -> bool {
        let Self { references, column, blocks, drop, even_only } = self;
        let References {
            inside, outside, own, other, tables, spans, signals, centred, sides, shared, ..
        } = references;
        weigh(column, signals, inside, outside);
        set_sides::<V>(column, blocks.shadows, inside, outside, sides);
        if even_only && sides[0].n != sides[1].n {
            return false;
        }
        for side in &mut *sides {
            side.pilot = side.first_at(0).map_or(0.0, |first| signals[first]);
        }
        let pilots = [sides[0].pilot, sides[1].pilot];
        let sums = less_pilot::<V>(signals, inside, outside, pilots, centred);
        for (side, sum) in sides.iter_mut().zip(sums) {
            side.shift = sum / f64::from(side.n.max(1));
        }
        let squares = less_mean::<V>(inside, outside, [sides[0].shift, sides[1].shift], centred);
        for (side, (squares, rest)) in sides.iter_mut().zip(squares) {
            // What rounding left in the mean (Chan, Golub and LeVeque 1983).
            side.squares = (squares - rest * rest / f64::from(side.n.max(1))).max(0.0);
        }
        let rare = leave_out::<V>(
            inside,
            outside,
            centred,
            [&sides[0], &sides[1]],
            &mut own.deviation,
            &mut own.squares,
        );
        if rare {
            recompute(sides, signals, &mut own.deviation, &mut own.squares);
        }
        for target in 0..2 {
            reduce(&sides[1 - target], signals, centred, blocks, drop, target, tables);
        }
        let [for_in, for_out] = &tables.centre;
        Tables::spread::<V>([for_in, for_out], inside, blocks.size, shared);
        deviate::<V>(signals, inside, outside, [pilots[1], pilots[0]], shared, &mut other.deviation);
        let [for_in, for_out] = &tables.squares;
        Tables::spread::<V>([for_in, for_out], inside, blocks.size, &mut other.squares);
        let less = |side: &Side, by: bool| side.n - u32::from(by && side.n > 0);
        spans.push(Span {
            targets: 0..signals.len(),
            own: [less(&sides[0], true), less(&sides[1], true)],
            other: [less(&sides[1], drop != Drop::Nothing), less(&sides[0], drop != Drop::Nothing)],
        });
        true
    }
}

/// Membership as weights, 0 where there is no signal; and absent signals become 0.
#[inline(always)]
pub(super) fn weigh(column: &[u64], signals: &mut [f64], inside: &mut [f64], outside: &mut [f64]) {
    let weights = inside.chunks_mut(64).zip(outside.chunks_mut(64));
    for ((signals, (inside, outside)), &bits) in signals.chunks_mut(64).zip(weights).zip(column) {
        weigh_word(bits, signals, inside, outside);
    }
}

#[inline(always)]
fn weigh_word(bits: u64, signals: &mut [f64], inside: &mut [f64], outside: &mut [f64]) {
    let length = signals.len();
    let (inside, outside) = (&mut inside[..length], &mut outside[..length]);
    for i in 0..length {
        let there = if signals[i].abs() < f64::INFINITY { 1.0 } else { 0.0 };
        let is_in = if bits >> i & 1 == 1 { there } else { 0.0 };
        inside[i] = is_in;
        outside[i] = there - is_in;
        signals[i] = if there != 0.0 { signals[i] } else { 0.0 };
    }
}

/// Chunks of several columns, side by side.
#[inline(always)]
fn chunks<'a>(a: &'a [f64], b: &'a [f64]) -> impl Iterator<Item = (&'a [f64; LANES], &'a [f64; LANES])> {
    a.as_chunks().0.iter().zip(b.as_chunks().0)
}

/// Which shadows are on which side. Lanes beyond the last shadow have no weight.
#[inline(always)]
fn set_sides<V: Vector>(
    column: &[u64],
    shadows: usize,
    inside: &[f64],
    outside: &[f64],
    sides: &mut [Side; 2],
) {
    let mut there = V::splat(0.0);
    for (inside, outside) in chunks(inside, outside) {
        there = there.add(V::load(inside)).add(V::load(outside));
    }
    let complete = there.total() == shadows as f64;
    let [own, other] = sides;
    own.bits.resize(column.len(), 0);
    other.bits.resize(column.len(), 0);
    for (word, &bits) in column.iter().enumerate() {
        let range = word * 64..shadows.min(word * 64 + 64);
        let present = if complete {
            u64::MAX >> (64 - range.len())
        } else {
            range.rev().fold(0, |bits, shadow| bits << 1 | u64::from(inside[shadow] + outside[shadow] != 0.0))
        };
        own.bits[word] = bits & present;
        other.bits[word] = !bits & present;
    }
    for side in sides {
        side.n = side.bits.iter().map(|bits| bits.count_ones()).sum();
    }
}

/// Signals less their side's pilot, and the sums over the sides. Equal signals give exactly 0.
#[inline(always)]
fn less_pilot<V: Vector>(
    signals: &[f64],
    inside: &[f64],
    outside: &[f64],
    pilots: [f64; 2],
    centred: &mut [f64],
) -> [f64; 2] {
    let (mut sum_in, mut sum_out) = (V::splat(0.0), V::splat(0.0));
    let [pilot_in, pilot_out] = pilots.map(V::splat);
    let centred = centred.as_chunks_mut().0.iter_mut();
    for ((centred, signals), (inside, outside)) in
        centred.zip(signals.as_chunks().0).zip(chunks(inside, outside))
    {
        let signals = V::load(signals);
        let d_in = signals.sub(pilot_in).mul(V::load(inside));
        let d_out = signals.sub(pilot_out).mul(V::load(outside));
        sum_in = sum_in.add(d_in);
        sum_out = sum_out.add(d_out);
        d_in.add(d_out).store(centred);
    }
    [sum_in.total(), sum_out.total()]
}

/// Takes the mean off as well; for both sides the sum of squares, and the sum, which rounding leaves.
#[inline(always)]
fn less_mean<V: Vector>(
    inside: &[f64],
    outside: &[f64],
    shifts: [f64; 2],
    centred: &mut [f64],
) -> [(f64, f64); 2] {
    let [mut squares_in, mut squares_out, mut rest_in, mut rest_out] = [V::splat(0.0); 4];
    let [shift_in, shift_out] = shifts.map(V::splat);
    let centred = centred.as_chunks_mut().0.iter_mut();
    for (centred, (inside, outside)) in centred.zip(chunks(inside, outside)) {
        let d = V::load(centred);
        let d_in = d.sub(shift_in).mul(V::load(inside));
        let d_out = d.sub(shift_out).mul(V::load(outside));
        squares_in = squares_in.add(d_in.mul(d_in));
        squares_out = squares_out.add(d_out.mul(d_out));
        rest_in = rest_in.add(d_in);
        rest_out = rest_out.add(d_out);
        d_in.add(d_out).store(centred);
    }
    [(squares_in.total(), rest_in.total()), (squares_out.total(), rest_out.total())]
}

/// The own side of every target: less the target, the mean moves by -d / (n - 1) and the squares lose
/// d^2 n / (n - 1). Whether that took too many digits anywhere.
#[inline(always)]
fn leave_out<V: Vector>(
    inside: &[f64],
    outside: &[f64],
    centred: &[f64],
    sides: [&Side; 2],
    deviation: &mut [f64],
    squares: &mut [f64],
) -> bool {
    let grown = sides.map(|side| if side.n > 1 { f64::from(side.n) / f64::from(side.n - 1) } else { 0.0 });
    let [grown_in, grown_out] = grown.map(V::splat);
    let [all_in, all_out] = sides.map(|side| V::splat(side.squares));
    let mut rare = V::splat(0.0);
    let found = deviation.as_chunks_mut().0.iter_mut().zip(squares.as_chunks_mut().0);
    for ((centred, (inside, outside)), (deviation, squares)) in
        centred.as_chunks().0.iter().zip(chunks(inside, outside)).zip(found)
    {
        let (inside, outside, centred) = (V::load(inside), V::load(outside), V::load(centred));
        let all = inside.mul(all_in).add(outside.mul(all_out));
        let d = centred.mul(inside.mul(grown_in).add(outside.mul(grown_out)));
        let rest = all.sub(centred.mul(d));
        rare = rare.add(rest.below(all.mul(V::splat(DOWNDATE_LIMIT))));
        d.store(deviation);
        rest.store(squares);
    }
    rare.total() > 0.0
}

/// Goes through the values again wherever [`leave_out`] took too many digits.
#[cold]
#[inline(never)]
fn recompute(sides: &[Side; 2], signals: &[f64], deviation: &mut [f64], squares: &mut [f64]) {
    for side in sides {
        for target in side.shadows() {
            if squares[target] >= DOWNDATE_LIMIT * side.squares {
                continue;
            }
            let rest = side.without(target, signals);
            deviation[target] = signals[target] - rest.mean;
            squares[target] = rest.ss;
        }
    }
}

/// What the targets on side `target` share: `side`, the opposite one, less what it gives up.
#[inline(always)]
fn reduce(
    side: &Side,
    signals: &[f64],
    centred: &[f64],
    blocks: &Blocks,
    drop: Drop,
    target: usize,
    tables: &mut Tables,
) {
    let rest = f64::from(side.n.saturating_sub(1));
    let (step, grown) = if side.n > 1 { (1.0 / rest, f64::from(side.n) / rest) } else { (0.0, 0.0) };
    for block in 0..blocks.count() {
        let (mut n, mut squares, mut centre) = (f64::from(side.n), side.squares, side.shift);
        if let Some(dropped) = side.dropped(drop, block, blocks.size) {
            let d = centred[dropped];
            n = rest;
            squares = side.squares - d * d * grown;
            centre = side.shift - d * step;
            if squares < DOWNDATE_LIMIT * side.squares {
                let moments = side.without(dropped, signals);
                (squares, centre) = (moments.ss, moments.mean - side.pilot);
            }
        }
        tables.n[target][block] = n;
        tables.squares[target][block] = squares;
        tables.centre[target][block] = centre;
    }
}

/// Signals less the other side's centre, which is given less its pilot.
#[inline(always)]
fn deviate<V: Vector>(
    signals: &[f64],
    inside: &[f64],
    outside: &[f64],
    pilots: [f64; 2],
    centre: &[f64],
    deviation: &mut [f64],
) {
    let [for_in, for_out] = pilots.map(V::splat);
    let given = chunks(signals, centre).zip(chunks(inside, outside));
    for (deviation, ((signals, centre), (inside, outside))) in
        deviation.as_chunks_mut().0.iter_mut().zip(given)
    {
        let pilot = V::load(inside).mul(for_in).add(V::load(outside).mul(for_out));
        V::load(signals).sub(pilot).sub(V::load(centre)).store(deviation);
    }
}

impl Side {
    /// The shadow that is given up for the targets of a block.
    #[inline(always)]
    pub fn dropped(&self, drop: Drop, block: usize, size: usize) -> Option<usize> {
        match drop {
            Drop::FirstOfBlock => match self.first_at(block * size) {
                Some(first) if first < (block + 1) * size => Some(first),
                _ => self.first_at(0),
            },
            Drop::Last => {
                let word = self.bits.iter().rposition(|&bits| bits != 0)?;
                Some(word * 64 + 63 - self.bits[word].leading_zeros() as usize)
            }
            Drop::Nothing => None,
        }
    }

    /// The first shadow of this side from `start` on.
    #[inline(always)]
    fn first_at(&self, start: usize) -> Option<usize> {
        let mut word = start / 64;
        let mut bits = self.bits.get(word)? & u64::MAX << (start % 64);
        while bits == 0 {
            word += 1;
            bits = *self.bits.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    /// The shadows of this side, ascending.
    pub fn shadows(&self) -> impl Iterator<Item = usize> + Clone {
        self.bits.iter().enumerate().flat_map(|(word, &bits)| {
            let rests = std::iter::successors(Some(bits), |bits| Some(bits & bits.wrapping_sub(1)));
            rests.take_while(|&bits| bits != 0).map(move |bits| word * 64 + bits.trailing_zeros() as usize)
        })
    }

    /// The moments of this side less one shadow, from the values.
    #[cold]
    #[inline(never)]
    fn without(&self, dropped: usize, signals: &[f64]) -> Moments {
        Moments::of(self.shadows().filter(|&shadow| shadow != dropped).map(|shadow| signals[shadow]))
    }
}
