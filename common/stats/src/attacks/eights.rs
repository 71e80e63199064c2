//! Leave-one-out references and likelihood ratios of eight plain records side by side, one lane each.
//!
//! Let a side hold n signals with squares S about their mean, and d be how far a shadow's signal lies from
//! it. Without that shadow the squares are S w with w = 1 - d^2 (n / (n - 1)) / S, and the signal lies
//! d n / (n - 1) from the mean of the rest, so that with variances of divisor n - 1 (the number of the rest)
//!
//! (distance)^2 / variance + ln variance = n (1 / w - 1) + ln w + ln(S / (n - 1)):
//!
//! one division and one logarithm a target. Of the side that the target is not on, all targets of a block
//! see the same: that side less its first shadow of the block.
//!
//! Where w falls below a half, too many digits are lost: such lanes are said to be irregular, and somebody
//! else has to look at the record.

use super::strip::Eight;
use crate::design::Blocks;
use crate::lanes::{Kernel, LANES, Vector};

/// Least share of a side's squares that may be left without one shadow.
const LEAST_LEFT: f64 = 0.5;

/// Numbers of eight records.
type Lanes = [f64; LANES];

/// Buffers, `[shadow]` unless said otherwise.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Signals; then less their side's mean.
    signals: Vec<Lanes>,
    /// The lanes that are IN, in whole groups of eight shadows.
    inside: Vec<u8>,
    /// The centred signal of the first IN, and of the first OUT shadow of every block.
    first_in: Vec<Lanes>,
    first_out: Vec<Lanes>,
    /// Squares without the target.
    squares: Vec<Lanes>,
}

/// The moments of one side.
#[derive(Clone, Copy)]
struct Side<V> {
    /// Shadows on it, and one less.
    n: V,
    rest: V,
    /// A signal of the side that all are centred on, and how far the mean lies from it.
    pilot: V,
    shift: V,
    /// Squares about the mean.
    squares: V,
    /// (n / (n - 1)) / S: times d^2, the share of the squares that goes with a shadow.
    share: V,
}

impl<V: Vector> Side<V> {
    /// The share of the squares that is left without a shadow whose centred signal is `d`.
    #[inline(always)]
    fn left(&self, d: V) -> V {
        V::splat(1.0).sub(d.mul(d).mul(self.share))
    }

    /// The lanes in which the variance without a shadow may be `least` or less, or no number holds it.
    #[inline(always)]
    fn may_be_below(&self, least: f64) -> u8 {
        let above = V::splat(least).lanes_below(self.squares.mul(V::splat(LEAST_LEFT)).div(self.rest));
        !(above & self.squares.lanes_finite())
    }
}

/// The moments of both sides, IN and OUT, in two passes; leaves the centred signals in `scratch`.
#[inline(always)]
fn moments<V: Vector>(eight: &Eight<'_>, blocks: &Blocks, scratch: &mut Scratch) -> (Side<V>, Side<V>) {
    load::<V>(eight, blocks.shadows, scratch);
    let (n_in, n_out) = counts(eight, blocks.shadows);
    let (n_in, n_out) = (V::load(&n_in), V::load(&n_out));
    let (pilots_in, pilots_out) = (V::load(&pilots(eight, 0)), V::load(&pilots(eight, u64::MAX)));
    let (zero, one) = (V::splat(0.0), V::splat(1.0));
    let (mut sum_in, mut sum_out) = (zero, zero);
    for (signal, &inside) in scratch.signals.iter_mut().zip(&scratch.inside) {
        let d = V::load(signal).sub(V::select(inside, pilots_in, pilots_out));
        sum_in = sum_in.add_in(inside, d);
        sum_out = sum_out.add_in(!inside, d);
        d.store(signal);
    }
    let (shift_in, shift_out) = (sum_in.div(n_in), sum_out.div(n_out));
    let (mut squares_in, mut squares_out, mut rest_in, mut rest_out) = (zero, zero, zero, zero);
    for block in 0..blocks.count() {
        let (mut first_in, mut first_out) = (zero, zero);
        let range = block * blocks.size..(block + 1) * blocks.size;
        let signals = scratch.signals[range.clone()].iter_mut().zip(&scratch.inside[range]);
        for (signal, &inside) in signals.rev() {
            let d = V::load(signal).sub(V::select(inside, shift_in, shift_out));
            let square = d.mul(d);
            squares_in = squares_in.add_in(inside, square);
            squares_out = squares_out.add_in(!inside, square);
            rest_in = rest_in.add_in(inside, d);
            rest_out = rest_out.add_in(!inside, d);
            first_in = V::select(inside, d, first_in);
            first_out = V::select(inside, first_out, d);
            d.store(signal);
        }
        first_in.store(&mut scratch.first_in[block]);
        first_out.store(&mut scratch.first_out[block]);
    }
    // What rounding left in the mean (Chan, Golub and LeVeque 1983).
    squares_in = squares_in.sub(rest_in.mul(rest_in).div(n_in));
    squares_out = squares_out.sub(rest_out.mul(rest_out).div(n_out));
    let (less_in, less_out) = (n_in.sub(one), n_out.sub(one));
    let inside = Side {
        n: n_in,
        rest: less_in,
        pilot: pilots_in,
        shift: shift_in,
        squares: squares_in,
        share: n_in.div(less_in.mul(squares_in)),
    };
    let outside = Side {
        n: n_out,
        rest: less_out,
        pilot: pilots_out,
        shift: shift_out,
        squares: squares_out,
        share: n_out.div(less_out.mul(squares_out)),
    };
    (inside, outside)
}

/// Turns eight rows into lanes, and finds the members of every shadow.
#[inline(always)]
fn load<V: Vector>(eight: &Eight<'_>, shadows: usize, scratch: &mut Scratch) {
    let [a, b, c, d, e, f, g, h] = eight.signals;
    let (whole, _) = scratch.signals[..shadows].as_chunks_mut::<LANES>();
    for (group, to) in whole.iter_mut().enumerate() {
        let row = group * LANES;
        let columns = V::turned([
            lanes_at(a, row),
            lanes_at(b, row),
            lanes_at(c, row),
            lanes_at(d, row),
            lanes_at(e, row),
            lanes_at(f, row),
            lanes_at(g, row),
            lanes_at(h, row),
        ]);
        for (to, column) in to.iter_mut().zip(columns) {
            column.store(to);
        }
    }
    for shadow in shadows / LANES * LANES..shadows {
        for (to, row) in scratch.signals[shadow].iter_mut().zip(eight.signals) {
            *to = row[shadow];
        }
    }
    for (group, to) in scratch.inside.as_chunks_mut().0.iter_mut().enumerate() {
        let mut bytes = [0; LANES];
        for (byte, column) in bytes.iter_mut().zip(eight.columns) {
            *byte = (column[group / 8] >> (group % 8 * 8)) as u8;
        }
        *to = turned_bits(bytes);
    }
}

/// The eight numbers from `start` on.
#[inline(always)]
fn lanes_at<V: Vector>(row: &[f64], start: usize) -> V {
    V::load(row[start..].first_chunk().expect("a group of eight shadows lies within the row"))
}

/// Numbers of IN and OUT shadows.
#[inline(always)]
fn counts(eight: &Eight<'_>, shadows: usize) -> (Lanes, Lanes) {
    let (mut inside, mut outside) = ([0.0; LANES], [0.0; LANES]);
    for ((inside, outside), column) in inside.iter_mut().zip(&mut outside).zip(eight.columns) {
        let n: u32 = column.iter().map(|word| word.count_ones()).sum();
        *inside = f64::from(n);
        *outside = shadows as f64 - *inside;
    }
    (inside, outside)
}

/// Every record's first signal of a side: IN, or OUT where `flip` turns all bits.
#[inline(always)]
fn pilots(eight: &Eight<'_>, flip: u64) -> Lanes {
    let mut found = [0.0; LANES];
    for ((found, row), column) in found.iter_mut().zip(eight.signals).zip(eight.columns) {
        // There is one in the first block; bits beyond the last shadow come after it.
        let word = column.iter().position(|bits| bits ^ flip != 0).unwrap_or(0);
        let shadow = word * 64 + (column[word] ^ flip).trailing_zeros() as usize;
        *found = row[shadow.min(row.len() - 1)];
    }
    found
}

/// The bits of eight bytes, rows as columns (Warren 2012, Hacker's Delight, section 7-3).
#[inline(always)]
fn turned_bits(rows: [u8; 8]) -> [u8; 8] {
    let mut x = u64::from_le_bytes(rows);
    for (shift, mask) in
        [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)]
    {
        let swap = (x ^ (x >> shift)) & mask;
        x ^= swap ^ (swap << shift);
    }
    x.to_le_bytes()
}

/// The squares of both sides without each target, and on the side that it is not on without the first
/// shadow of its block. Those of IN and OUT are added to `sums_in` and `sums_out`, `[shadow]`, in the lanes
/// that are there and regular. Returns the lanes that are not regular.
pub(super) struct Squares<'a> {
    pub eight: &'a Eight<'a>,
    pub blocks: &'a Blocks,
    pub scratch: &'a mut Scratch,
    pub sums_in: &'a mut [Lanes],
    pub sums_out: &'a mut [Lanes],
}

impl Kernel for Squares<'_> {
    type Output = u8;

    #[inline(always)]
    fn run<V: Vector>(self) -> u8 {
        let Self { eight, blocks, scratch, sums_in, sums_out } = self;
        let (inside, outside) = moments::<V>(eight, blocks, scratch);
        let mut irregular = inside.may_be_below(0.0) | outside.may_be_below(0.0);
        let signals = scratch.signals.iter().zip(&scratch.inside);
        for ((signal, &members), squares) in signals.zip(&mut scratch.squares) {
            let d = V::load(signal);
            let share = V::select(members, inside.share, outside.share);
            let left = V::splat(1.0).sub(d.mul(d).mul(share));
            irregular |= !V::splat(LEAST_LEFT).lanes_below(left);
            V::select(members, inside.squares, outside.squares).mul(left).store(squares);
        }
        let good = eight.there() & !irregular;
        for block in 0..blocks.count() {
            let less_in = inside.squares.mul(inside.left(V::load(&scratch.first_in[block])));
            let less_out = outside.squares.mul(outside.left(V::load(&scratch.first_out[block])));
            let range = block * blocks.size..(block + 1) * blocks.size;
            let squares = scratch.squares[range.clone()].iter().zip(&scratch.inside[range.clone()]);
            let sums = sums_in[range.clone()].iter_mut().zip(&mut sums_out[range]);
            for ((own, &members), (sums_in, sums_out)) in squares.zip(sums) {
                let own = V::load(own);
                V::load(sums_in).add_in(good, V::select(members, own, less_in)).store(sums_in);
                V::load(sums_out).add_in(good, V::select(members, less_out, own)).store(sums_out);
            }
        }
        irregular
    }
}

/// The log-likelihood ratios of all targets, with each record's own variances, `[shadow]`. `least` is the
/// least variance of IN and OUT over all targets: where one may be smaller, the lane is not regular.
/// Returns the lanes that are not; the scores of the others are finite.
pub(super) struct Ratios<'a> {
    pub eight: &'a Eight<'a>,
    pub blocks: &'a Blocks,
    pub scratch: &'a mut Scratch,
    pub least: [f64; 2],
    pub scores: &'a mut [Lanes],
}

impl Kernel for Ratios<'_> {
    type Output = u8;

    #[inline(always)]
    fn run<V: Vector>(self) -> u8 {
        let Self { eight, blocks, scratch, least, scores } = self;
        let (inside, outside) = moments::<V>(eight, blocks, scratch);
        let (ln_in, ln_out) = (ln(inside.squares.div(inside.rest)), ln(outside.squares.div(outside.rest)));
        // From the mean of OUT to that of IN.
        let apart = inside.pilot.sub(outside.pilot).add(inside.shift.sub(outside.shift));
        let back = V::splat(0.0).sub(apart);
        let (half, less_half) = (V::splat(0.5), V::splat(-0.5));
        let mut irregular = inside.may_be_below(least[0]) | outside.may_be_below(least[1]);
        // Stays 0 where all scores are finite.
        let mut zero = V::splat(0.0);
        for block in 0..blocks.count() {
            let for_in = Shared::new(&outside, V::load(&scratch.first_out[block]), ln_out, apart);
            let for_out = Shared::new(&inside, V::load(&scratch.first_in[block]), ln_in, back);
            let range = block * blocks.size..(block + 1) * blocks.size;
            let signals = scratch.signals[range.clone()].iter().zip(&scratch.inside[range.clone()]);
            for ((signal, &members), score) in signals.zip(&mut scores[range]) {
                let d = V::load(signal);
                let gone = d.mul(d).mul(V::select(members, inside.share, outside.share));
                let left = V::splat(1.0).sub(gone);
                irregular |= !V::splat(LEAST_LEFT).lanes_below(left);
                let (per_left, ln_left) = inverse_and_ln(left);
                // n (1 / w - 1) = n (1 - w) / w.
                let n = V::select(members, inside.n, outside.n);
                let own = n.mul(gone).mul_add(per_left, ln_left.add(V::select(members, ln_in, ln_out)));
                let distance = d.add(V::select(members, for_in.far, for_out.far));
                let per_variance = V::select(members, for_in.per_variance, for_out.per_variance);
                let ln_variance = V::select(members, for_in.ln_variance, for_out.ln_variance);
                let other = distance.mul(distance).mul_add(per_variance, ln_variance);
                let found = other.sub(own).mul(V::select(members, half, less_half));
                zero = zero.add(found.sub(found));
                found.store(score);
            }
        }
        irregular | !zero.lanes_below(V::splat(1.0))
    }
}

/// What the targets of a block that are on one side see of the other, which gives up its first shadow there.
struct Shared<V> {
    /// From its mean to that of the targets' side.
    far: V,
    per_variance: V,
    ln_variance: V,
}

impl<V: Vector> Shared<V> {
    /// `first` is the centred signal of the shadow that `other` gives up, `ln_whole` the logarithm of its
    /// squares over n - 1, `apart` the distance from its mean, all shadows counted, to the targets' one.
    #[inline(always)]
    fn new(other: &Side<V>, first: V, ln_whole: V, apart: V) -> Self {
        let (per_left, ln_left) = inverse_and_ln(other.left(first));
        Self {
            far: apart.add(first.div(other.rest)),
            per_variance: per_left.mul(other.rest.div(other.squares)),
            ln_variance: ln_whole.add(ln_left),
        }
    }
}

/// 1 / w and ln w for w from a half to 1; with other w anything.
///
/// ln w = ln m - ln(2) / 2 with m = sqrt(2) w, and ln m = 2 atanh s with s = (m - 1) / (m + 1); the series is
/// fdlibm's (Sun Microsystems 1993, e_log.c). One division does for both.
#[inline(always)]
fn inverse_and_ln<V: Vector>(w: V) -> (V, V) {
    let one = V::splat(1.0);
    let m = w.mul(V::splat(std::f64::consts::SQRT_2));
    let above = m.add(one);
    let per_both = one.div(w.mul(above));
    let s = m.sub(one).mul(w).mul(per_both);
    let z = s.mul(s);
    let mut series = V::splat(0.147_981_986_051_165_86);
    for coefficient in [
        0.153_138_376_992_093_73,
        0.181_835_721_616_180_5,
        0.222_221_984_321_497_84,
        0.285_714_287_436_623_9,
        0.399_999_999_994_094_2,
        0.666_666_666_666_673_5,
    ] {
        series = series.mul_add(z, V::splat(coefficient));
    }
    let twice = s.add(s);
    let ln_m = s.mul(z).mul_add(series, twice);
    (above.mul(per_both), ln_m.sub(V::splat(0.5 * std::f64::consts::LN_2)))
}

/// The logarithm of every lane.
#[inline(always)]
fn ln<V: Vector>(x: V) -> V {
    let mut lanes = [0.0; LANES];
    x.store(&mut lanes);
    lanes.iter_mut().for_each(|lane| *lane = crate::lanes::ln(*lane));
    V::load(&lanes)
}

impl Scratch {
    /// Makes room for the shadows of an audit.
    pub fn fit(&mut self, blocks: &Blocks) {
        self.signals.resize(blocks.shadows, [0.0; LANES]);
        self.squares.resize(blocks.shadows, [0.0; LANES]);
        self.inside.resize(blocks.shadows.next_multiple_of(LANES), 0);
        self.first_in.resize(blocks.count(), [0.0; LANES]);
        self.first_out.resize(blocks.count(), [0.0; LANES]);
    }
}
