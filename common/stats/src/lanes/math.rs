//! Logarithms and the exponential without a branch, so that loops over them become vector code.
//!
//! The polynomials are those of fdlibm (Sun Microsystems 1993: e_log.c, s_log1p.c, e_exp.c), each good to
//! less than one unit in the last place; arguments are split by their bits instead of by cases.

use super::vector::Vector;

const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// sqrt(1/2), rounded down to 20 bits of mantissa: arguments are split into 2^k m with m from here to twice
/// that.
const SQRT_HALF: u64 = 0x3fe6_a09e_0000_0000;
const ONE: u64 = 0x3ff0_0000_0000_0000;
const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
pub(super) const MANTISSA_BITS: u32 = 52;
const BIAS: f64 = 1023.0;
/// 2^52: a small whole number in its low bits makes it the f64 2^52 + number.
pub(crate) const TWO_52: f64 = 4_503_599_627_370_496.0;
/// 2^54 lifts subnormal numbers into the normal ones.
const TWO_54: f64 = 18_014_398_509_481_984.0;

/// ln x, as `libm::log`: -inf at 0, NaN below.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    let subnormal = x < f64::MIN_POSITIVE;
    let (k, m) = split(x * if subnormal { TWO_54 } else { 1.0 });
    let y = ln_of_split(k - if subnormal { 54.0 } else { 0.0 }, m - 1.0, 0.0);
    at_the_edges(x, x, y)
}

/// ln(1 + x), as `libm::log1p`: -inf at -1, NaN below.
#[inline(always)]
pub(crate) fn ln_1p(x: f64) -> f64 {
    let u = 1.0 + x;
    let (k, m) = split(u);
    // What rounding took from 1 + x, as a share of it. That share is below 2^-53, so that three terms of
    // the series of 1 / m do.
    let lost = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let f = m - 1.0;
    let share = lost * inverse_power(u) * (1.0 - f + f * f);
    let whole = k == 0.0;
    let y = ln_of_split(k, if whole { x } else { f }, if whole { 0.0 } else { share });
    at_the_edges(x, u, y)
}

/// `y`, a logarithm of `u`, where u is positive and finite; otherwise what it has to be. `x` is NaN or
/// infinite where u is.
#[inline(always)]
fn at_the_edges(x: f64, u: f64, y: f64) -> f64 {
    let y = if x == f64::INFINITY { x } else { y };
    let y = if u == 0.0 { f64::NEG_INFINITY } else { y };
    if u >= 0.0 { y } else { f64::NAN }
}

/// k and m with x = 2^k m, sqrt(1/2) <= m < sqrt(2), for a normal x > 0.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    let bits = x.to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = f64::from_bits((bits >> MANTISSA_BITS) | TWO_52.to_bits()) - (TWO_52 + BIAS);
    (k, f64::from_bits((bits & MANTISSA) + SQRT_HALF))
}

/// 2^-k for the k of [`split`].
#[inline(always)]
fn inverse_power(x: f64) -> f64 {
    let biased = x.to_bits().wrapping_add(ONE - SQRT_HALF) >> MANTISSA_BITS;
    0.5 * f64::from_bits(2047_u64.wrapping_sub(biased) << MANTISSA_BITS)
}

/// k ln 2 + ln(1 + f) + c, for 1 + f from sqrt(1/2) to sqrt(2).
#[inline(always)]
fn ln_of_split(k: f64, f: f64, c: f64) -> f64 {
    let half_square = 0.5 * f * f;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (0.399_999_999_994_094_2 + w * (0.222_221_984_321_497_84 + w * 0.153_138_376_992_093_73));
    let odd = z
        * (0.666_666_666_666_673_5
            + w * (0.285_714_287_436_623_9 + w * (0.181_835_721_616_180_5 + w * 0.147_981_986_051_165_86)));
    s * (half_square + (even + odd)) + (k * LN_2_LOW + c) - half_square + f + k * LN_2_HIGH
}

/// e^x, as `libm::exp`: 0 below about -745, infinite above about 709.8.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    const INVERSE_LN_2: f64 = std::f64::consts::LOG2_E;
    // 1.5 * 2^52: adding it rounds to a whole number, which is then in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // Beyond these the result is 0 or infinite anyway.
    let inside = x.clamp(-746.0, 710.0);
    let rounded = inside * INVERSE_LN_2 + ROUND;
    let k = rounded - ROUND;
    let (high, low) = (inside - k * LN_2_HIGH, k * LN_2_LOW);
    let r = high - low;
    let z = r * r;
    let c = r - z
        * (0.166_666_666_666_666_02
            + z * (-2.777_777_777_701_559_3e-3
                + z * (6.613_756_321_437_934e-5
                    + z * (-1.653_390_220_546_525_2e-6 + z * 4.138_136_797_057_238_5e-8))));
    let y = 1.0 + (r * c / (2.0 - c) - low + high);
    // 2^k in two factors: k itself may be beyond the exponents there are.
    let whole = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(2048);
    let half = whole >> 1;
    let power = |half: u64| f64::from_bits(half.wrapping_sub(1) << MANTISSA_BITS);
    let y = y * power(half) * power(whole.wrapping_sub(half));
    if x.is_nan() { x } else { y }
}

/// ln(1 + e^x), without overflow; 0 below about -708.4, where e^x is no normal number.
///
/// e^-|x| by a polynomial of what is left of ln 2, ln(1 + e) by its series in s = e / (2 + e), at most 1/3
/// (Chebyshev fits by mpmath 1.3.0, both good to less than a tenth of a unit in the last place).
#[inline(always)]
pub(crate) fn softplus<V: Vector>(x: V) -> V {
    let zero = V::splat(0.0);
    let e = exp_of_minus(x.pick(x, zero.sub(x)));
    let s = e.div(V::splat(2.0).add(e));
    let z = s.mul(s);
    // ln(1 + e) is 2 s + s rest.
    let rest = z.mul(polynomial(z, &RATIO));
    let small = s.mul_add(rest.sub(e), e);
    small.add(x.pick(x, zero))
}

/// Of (e^r - 1 - r) / r^2 for r up to ln(2) / 2, from the highest.
const EXPONENTIAL: [f64; 10] = [
    2.510_038_549_551_032e-8,
    2.762_008_844_540_974_6e-7,
    2.755_726_845_999_706_4e-6,
    2.480_152_129_595_437_6e-5,
    1.984_126_986_305_361_8e-4,
    1.388_888_891_721_371_7e-3,
    8.333_333_333_330_062e-3,
    4.166_666_666_662_413e-2,
    0.166_666_666_666_666_69,
    0.500_000_000_000_000_1,
];

/// Of (ln((1 + s) / (1 - s)) - 2 s) / s^3 by s^2 up to 1/9, from the highest.
const RATIO: [f64; 10] = [
    0.161_640_456_119_435_3,
    8.800_738_486_144_674e-2,
    0.120_010_728_095_907_13,
    0.133_141_442_096_549_35,
    0.153_855_700_649_586_23,
    0.181_817_894_361_328_59,
    0.222_222_227_174_278_64,
    0.285_714_285_671_087_6,
    0.400_000_000_000_145_85,
    0.666_666_666_666_666_6,
];

/// A polynomial of degree nine, pair by pair (Estrin 1960, doi 10.1145/1460361.1460365): no step waits for more
/// than three before it.
#[inline(always)]
fn polynomial<V: Vector>(x: V, coefficients: &[f64; 10]) -> V {
    let [c9, c8, c7, c6, c5, c4, c3, c2, c1, c0] = *coefficients;
    let square = x.mul(x);
    let fourth = square.mul(square);
    let low = linear(x, c3, c2).mul_add(square, linear(x, c1, c0));
    let high = linear(x, c7, c6).mul_add(square, linear(x, c5, c4));
    linear(x, c9, c8).mul_add(fourth, high).mul_add(fourth, low)
}

/// `slope` x + `constant`.
#[inline(always)]
pub(crate) fn linear<V: Vector>(x: V, slope: f64, constant: f64) -> V {
    V::splat(slope).mul_add(x, V::splat(constant))
}

/// e^-x for x >= 0; 0 where that is no normal number.
#[inline(always)]
fn exp_of_minus<V: Vector>(x: V) -> V {
    const MOST: f64 = 708.39;
    // 1.5 * 2^52, as in `exp`.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LN_2_REST: f64 = 2.319_046_813_846_299_6e-17;
    let (zero, beyond) = (V::splat(0.0), x.sub(V::splat(MOST)));
    let minus = zero.sub(beyond.pick(V::splat(MOST), x));
    let rounded = minus.mul_add(V::splat(std::f64::consts::LOG2_E), V::splat(ROUND));
    let less_k = V::splat(ROUND).sub(rounded);
    let r = less_k.mul_add(V::splat(LN_2_REST), less_k.mul_add(V::splat(std::f64::consts::LN_2), minus));
    let y = V::splat(1.0).add(r.mul(r).mul_add(polynomial(r, &EXPONENTIAL), r));
    beyond.pick(zero, y.times_power_of_two(rounded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::{Kernel, LANES, dispatch, on_every_level};
    use umbra_core::seed::{Purpose, Seed, Stream};

    /// One of the functions over many arguments.
    struct Map<'a, F>(F, &'a [f64]);

    impl<F: Fn(f64) -> f64> Kernel for Map<'_, F> {
        type Output = Vec<f64>;

        #[inline(always)]
        fn run<V: Vector>(self) -> Vec<f64> {
            self.1.iter().map(|&x| (self.0)(x)).collect()
        }
    }

    struct Softplus<'a>(&'a [f64]);

    impl Kernel for Softplus<'_> {
        type Output = Vec<f64>;

        #[inline(always)]
        fn run<V: Vector>(self) -> Vec<f64> {
            let eight = |x: &[f64]| {
                let mut lanes = [0.0; LANES];
                lanes[..x.len()].copy_from_slice(x);
                softplus(V::load(&lanes)).store(&mut lanes);
                lanes
            };
            let mut found: Vec<f64> = self.0.chunks(LANES).flat_map(eight).collect();
            found.truncate(self.0.len());
            found
        }
    }

    /// How many numbers lie between two, 0 for two NaN; the zeros are one number.
    fn steps(a: f64, b: f64) -> u64 {
        let ordered = |x: f64| {
            let bits = (x + 0.0).to_bits() as i64;
            if bits < 0 { i64::MIN - bits } else { bits }
        };
        if a.is_nan() && b.is_nan() { 0 } else { ordered(a).abs_diff(ordered(b)) }
    }

    /// Numbers of every size, and those where something changes.
    fn arguments(stream: &mut Stream, limit: i32) -> Vec<f64> {
        let mut all = vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX, f64::MIN];
        all.extend([f64::MIN_POSITIVE, 5e-324, -5e-324, 1e-310, -1.0, -2.0, -0.5, 0.5, 1e-17, -1e-17]);
        for near in
            [1.0, 2.0, 0.5, -0.292_893_218_813_452_5, 0.414_213_562_373_095_03, std::f64::consts::SQRT_2]
        {
            for step in -3..=3 {
                all.push(near * (1.0 + f64::from(step) * f64::EPSILON));
            }
        }
        for exponent in -1074..1024 {
            all.push(libm::scalbn(1.0, exponent));
            all.push(libm::scalbn(1.0 + stream.uniform_f64(), exponent));
        }
        for _ in 0..200_000 {
            let size = libm::exp2(f64::from(limit) * (2.0 * stream.uniform_f64() - 1.0));
            all.extend([size, -size]);
        }
        all
    }

    #[track_caller]
    fn same_as(
        ours: impl Fn(&[f64]) -> Vec<f64>,
        theirs: impl Fn(f64) -> f64,
        most: u64,
        limit: i32,
        extra: &[f64],
    ) {
        let mut stream = Seed::new(5).stream(Purpose::Simulation, &[]);
        let mut x = arguments(&mut stream, limit);
        x.extend(extra);
        let levels = on_every_level(|| ours(&x));
        for (index, &x) in x.iter().enumerate() {
            let (found, right) = (levels[0][index], theirs(x));
            assert!(steps(found, right) <= most, "at {x:e}: {found:e} is not {right:e}");
            assert!(levels.iter().all(|level| steps(level[index], found) == 0), "levels differ at {x:e}");
        }
    }

    /// libm's own functions are good to one unit, so that two apart are not more than two from the truth.
    #[test]
    fn they_agree_with_libm_to_two_units_in_the_last_place() {
        same_as(|x| dispatch(Map(ln, x)), libm::log, 2, 30, &[]);
        same_as(|x| dispatch(Map(ln_1p, x)), libm::log1p, 2, 60, &[]);
        let edges = [709.78, 709.79, 710.5, -708.3, -708.5, -740.0, -745.1, -745.2, -746.5, 1e9, -1e9];
        same_as(|x| dispatch(Map(exp, x)), libm::exp, 2, 9, &edges);
        let in_steps = |x: f64| match x {
            ..-708.39 => 0.0,
            40.0.. => x,
            _ => libm::log1p(libm::exp(x)),
        };
        same_as(
            |x| dispatch(Softplus(x)),
            in_steps,
            2,
            9,
            &[-708.38, -708.4, 36.7, 37.5, 700.0, -36.7, -37.5],
        );
    }

    /// Expected: mpmath 1.3.0, 50 digits, rounded.
    #[test]
    fn they_are_right_where_digits_are_easily_lost() {
        for (found, right) in [
            (ln(1.0 + f64::EPSILON), 2.220_446_049_250_313e-16),
            (ln(5e-324), -744.440_071_921_381_2),
            (ln_1p(1e-300), 1e-300),
            (ln_1p(1e-9), 9.999_999_995e-10),
            (ln_1p(1e9), 20.723_265_837_946_41),
            (exp(1.0), std::f64::consts::E),
            (exp(-740.0), 4.2e-322),
            (dispatch(Softplus(&[0.0]))[0], std::f64::consts::LN_2),
            (dispatch(Softplus(&[-40.0]))[0], 4.248_354_255_291_589e-18),
            (dispatch(Softplus(&[1.0]))[0], 1.313_261_687_518_222_8),
            (dispatch(Softplus(&[800.0]))[0], 800.0),
        ] {
            assert!(steps(found, right) <= 1, "{found:e} is not {right:e}");
        }
    }
}
