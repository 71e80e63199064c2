//! Leave-one-out references and likelihood ratios of eight plain records side by side, one lane each.
//!
//! Let a side hold n signals with squares S about their mean, and d be how far a shadow's signal lies from
//! it. Without that shadow the squares are S w with w = 1 - d^2 (n / (n - 1)) / S, and the signal lies
//! d n / (n - 1) from the mean of the rest, so that with variances of divisor n - 1 (the number of the rest)
//!
//! (distance)^2 / variance + ln variance = n (1 / w - 1) + ln w + ln(S / (n - 1)):
//!
//! one division and one logarithm a target. Of the side that the target is not on, all targets of a block
//! see the same: that side less its first shadow of the block. Distances may be from medians in place of the
//! means ([`super::centres`]).
//!
//! Where w falls below a half, too many digits are lost: such lanes are said to be irregular, and somebody
//! else has to look at the record.

use super::centres::{Centres, Means, Medians};
use super::strip::Eight;
use crate::config::Center;
use crate::design::Blocks;
use crate::lanes::{Kernel, LANES, Vector, linear};

/// Least share of a side's squares that may be left without one shadow.
const LEAST_LEFT: f64 = 0.5;

/// Numbers of eight records.
type Lanes = [f64; LANES];

/// Buffers, `[shadow]` unless said otherwise.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Signals less their side's pilot.
    signals: Vec<Lanes>,
    /// The lanes that are IN, in whole groups of eight shadows.
    inside: Vec<u8>,
    /// Squares without the target.
    squares: Vec<Lanes>,
    /// The signals of one side of a record.
    pub(super) values: Vec<f64>,
}

/// The moments of one side.
#[derive(Clone, Copy)]
pub(super) struct Side<V> {
    /// Shadows on it, and one less.
    pub n: V,
    pub rest: V,
    /// A signal of the side that all are centred on, and how far the mean lies from it.
    pub pilot: V,
    pub shift: V,
    /// Squares about the mean.
    pub squares: V,
    /// (n / (n - 1)) / S: times d^2, the share of the squares that goes with a shadow.
    share: V,
}

impl<V: Vector> Side<V> {
    /// From the sums of how far the signals lie from the pilot, and of the squares of it.
    #[inline(always)]
    fn new(n: V, pilot: V, distances: V, squares: V) -> Self {
        let (rest, shift) = (n.sub(V::splat(1.0)), distances.div(n));
        let squares = squares.sub(distances.mul(shift));
        Self { n, rest, pilot, shift, squares, share: n.div(rest.mul(squares)) }
    }

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

/// The moments of both sides, IN and OUT, in one pass; leaves the signals less their side's pilot in `scratch`.
///
/// A pilot is one of its side, so that it lies sqrt(S) from the mean at most, and where every lane is regular,
/// sqrt(S / 2): squares about it lose no more digits than n has when those about the mean are found of them.
#[inline(always)]
fn moments<V: Vector>(eight: &Eight<'_>, blocks: &Blocks, scratch: &mut Scratch) -> (Side<V>, Side<V>) {
    turn_members(eight, scratch);
    let pilots = (V::load(&pilots(eight, 0)), V::load(&pilots(eight, u64::MAX)));
    let zero = V::splat(0.0);
    let mut sums = Sums { pilots, distances: (zero, zero), squares: (zero, zero) };
    let [a, b, c, d, e, f, g, h] = eight.signals;
    let (whole, rest) = scratch.signals[..blocks.shadows].as_chunks_mut::<LANES>();
    let (members, _) = scratch.inside.as_chunks::<LANES>();
    for (group, (to, members)) in whole.iter_mut().zip(members).enumerate() {
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
        for lane in 0..LANES {
            sums.add(columns[lane], members[lane]).store(&mut to[lane]);
        }
    }
    let first = blocks.shadows - rest.len();
    for (shadow, to) in (first..).zip(rest) {
        let column = V::load(&eight.signals.map(|row| row[shadow]));
        sums.add(column, scratch.inside[shadow]).store(to);
    }
    let (n_in, n_out) = counts(eight, blocks.shadows);
    let side = |n, pilot, distances, squares| Side::new(V::load(n), pilot, distances, squares);
    (
        side(&n_in, pilots.0, sums.distances.0, sums.squares.0),
        side(&n_out, pilots.1, sums.distances.1, sums.squares.1),
    )
}

/// Sums over the signals of IN and OUT.
struct Sums<V> {
    pilots: (V, V),
    /// How far they lie from their pilot, and the squares of it.
    distances: (V, V),
    squares: (V, V),
}

impl<V: Vector> Sums<V> {
    /// Adds a shadow's signals, and returns them less their pilots.
    #[inline(always)]
    fn add(&mut self, signals: V, inside: u8) -> V {
        let d = signals.sub(V::select(inside, self.pilots.0, self.pilots.1));
        let square = d.mul(d);
        self.distances = parted(self.distances, inside, d);
        self.squares = parted(self.squares, inside, square);
        d
    }
}

/// The sums of IN and OUT and the numbers of another shadow, each in the sum that it belongs to.
#[inline(always)]
fn parted<V: Vector>((sum_in, sum_out): (V, V), inside: u8, more: V) -> (V, V) {
    (sum_in.add_in(inside, more), V::select(inside, sum_out, sum_out.add(more)))
}

/// The signals of the first IN and of the first OUT shadow of a block, less their pilots.
#[inline(always)]
fn firsts<V: Vector>(signals: &[Lanes], members: &[u8]) -> (V, V) {
    let (mut first_in, mut first_out) = (V::splat(0.0), V::splat(0.0));
    let (mut seen_in, mut seen_out) = (0, 0);
    for (signal, &members) in signals.iter().zip(members) {
        let d = V::load(signal);
        first_in = V::select(members & !seen_in, d, first_in);
        first_out = V::select(!members & !seen_out, d, first_out);
        (seen_in, seen_out) = (seen_in | members, seen_out | !members);
        if seen_in & seen_out == u8::MAX {
            break;
        }
    }
    (first_in, first_out)
}

/// Finds the members of every shadow.
#[inline(always)]
fn turn_members(eight: &Eight<'_>, scratch: &mut Scratch) {
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
            let d = V::load(signal).sub(V::select(members, inside.shift, outside.shift));
            let share = V::select(members, inside.share, outside.share);
            let left = V::splat(1.0).sub(d.mul(d).mul(share));
            irregular |= !V::splat(LEAST_LEFT).lanes_below(left);
            V::select(members, inside.squares, outside.squares).mul(left).store(squares);
        }
        let good = eight.there() & !irregular;
        for block in 0..blocks.count() {
            let range = block * blocks.size..(block + 1) * blocks.size;
            let (signals, members) = (&scratch.signals[range.clone()], &scratch.inside[range.clone()]);
            let (first_in, first_out): (V, V) = firsts(signals, members);
            let less_in = inside.squares.mul(inside.left(first_in.sub(inside.shift)));
            let less_out = outside.squares.mul(outside.left(first_out.sub(outside.shift)));
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
    pub center: Center,
    pub scratch: &'a mut Scratch,
    pub least: [f64; 2],
    pub scores: &'a mut [Lanes],
}

impl Kernel for Ratios<'_> {
    type Output = u8;

    #[inline(always)]
    fn run<V: Vector>(self) -> u8 {
        let sides = moments::<V>(self.eight, self.blocks, self.scratch);
        match self.center {
            Center::Mean => self.about::<V, Means<V>>(sides, Means::new(sides)),
            Center::Median => {
                let middles = Medians::new(self.eight, sides, self.scratch);
                self.about::<V, Medians<V>>(sides, middles)
            }
        }
    }
}

impl Ratios<'_> {
    #[inline(always)]
    fn about<V: Vector, C: Centres<V>>(self, (inside, outside): (Side<V>, Side<V>), centres: C) -> u8 {
        let Self { blocks, scratch, least, scores, .. } = self;
        let (ln_in, ln_out) = (ln(inside.squares.div(inside.rest)), ln(outside.squares.div(outside.rest)));
        // From the pilot of OUT to that of IN.
        let apart = inside.pilot.sub(outside.pilot);
        let back = V::splat(0.0).sub(apart);
        let (half, less_half) = (V::splat(0.5), V::splat(-0.5));
        let mut irregular = inside.may_be_below(least[0]) | outside.may_be_below(least[1]);
        // A number where all scores are.
        let mut sum = V::splat(0.0);
        for block in 0..blocks.count() {
            let range = block * blocks.size..(block + 1) * blocks.size;
            let (signals, members) = (&scratch.signals[range.clone()], &scratch.inside[range.clone()]);
            let (first_in, first_out): (V, V) = firsts(signals, members);
            let far_in = apart.sub(centres.less_of_out(first_out));
            let far_out = back.sub(centres.less_of_in(first_in));
            let for_in = Shared::new(&outside, first_out, far_in, ln_out.sub(ln_in), half);
            let for_out = Shared::new(&inside, first_in, far_out, ln_in.sub(ln_out), less_half);
            for ((signal, &members), score) in signals.iter().zip(members).zip(&mut scores[range]) {
                let signal = V::load(signal);
                let d = signal.sub(V::select(members, inside.shift, outside.shift));
                let gone = d.mul(d).mul(V::select(members, inside.share, outside.share));
                let left = V::splat(1.0).sub(gone);
                irregular |= !V::splat(LEAST_LEFT).lanes_below(left);
                let (per_left, ln_left) = inverse_and_ln(left);
                let own = centres.own(members, signal, gone).mul_add(per_left, ln_left);
                let distance = signal.add(V::select(members, for_in.far, for_out.far));
                let other = distance.mul(distance).mul_add(
                    V::select(members, for_in.per_variance, for_out.per_variance),
                    V::select(members, for_in.ln_ratio, for_out.ln_ratio),
                );
                let found = own.mul_add(V::select(members, less_half, half), other);
                sum = sum.add(found);
                found.store(score);
            }
        }
        irregular | !sum.lanes_finite()
    }
}

/// What the targets of a block that are on one side see of the other, which gives up its first shadow there.
struct Shared<V> {
    /// From its centre to the pilot of the targets' side.
    far: V,
    /// One over its variance, and the logarithm of it less that of the targets' side, both times a half with
    /// the sign that they have in the score.
    per_variance: V,
    ln_ratio: V,
}

impl<V: Vector> Shared<V> {
    /// `first` is the signal of the shadow that `other` gives up, less its pilot, `ln_wholes` the logarithm of
    /// its squares over n - 1 less that of the targets' side, all shadows counted, and `half` the half with
    /// its sign.
    #[inline(always)]
    fn new(other: &Side<V>, first: V, far: V, ln_wholes: V, half: V) -> Self {
        let (per_left, ln_left) = inverse_and_ln(other.left(first.sub(other.shift)));
        Self {
            far,
            per_variance: per_left.mul(other.rest.div(other.squares)).mul(half),
            ln_ratio: ln_wholes.add(ln_left).mul(half),
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
    // Pair by pair (Estrin 1960), so that no step waits for more than three before it.
    let square = z.mul(z);
    let low = linear(z, 0.222_221_984_321_497_84, 0.285_714_287_436_623_9)
        .mul_add(square, linear(z, 0.399_999_999_994_094_2, 0.666_666_666_666_673_5));
    let high = V::splat(0.147_981_986_051_165_86)
        .mul_add(square, linear(z, 0.153_138_376_992_093_73, 0.181_835_721_616_180_5));
    let series = high.mul_add(square.mul(square), low);
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
    }
}
