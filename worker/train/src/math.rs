//! Exponential and logarithm as plain arithmetic, so that loops over them compile to vector instructions
//! and give the same bits on every machine and at every position of a batch.
//!
//! Polynomials from Cephes (S. L. Moshier, `expf.c` and `logf.c`), evaluated with fused multiply-adds.

/// `e^x`, within 2 units in the last place; 0 below -87.33 (no subnormal results), NaN above 88.72 and for
/// NaN.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 x 2^23 rounds to the nearest integer and leaves it in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    // ln 2 in two parts; products of the first with small integers are exact.
    const LN2_HIGH: f32 = 355.0 / 512.0;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let shifted = x.mul_add(std::f32::consts::LOG2_E, MAGIC);
    let n = shifted - MAGIC;
    let r = n.mul_add(-LN2_HIGH, x);
    let r = n.mul_add(-LN2_LOW, r);
    let mut p = 1.987_569_2e-4f32;
    p = p.mul_add(r, 1.398_2e-3);
    p = p.mul_add(r, 8.333_452e-3);
    p = p.mul_add(r, 4.166_579_6e-2);
    p = p.mul_add(r, 1.666_666_5e-1);
    p = p.mul_add(r, 5e-1);
    let y = p.mul_add(r * r, r) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(127) << 23;
    let y = y * f32::from_bits(exponent);
    let y = if x > 88.72 { f32::NAN } else { y };
    if x < -87.33 { 0.0 } else { y }
}

/// `ln x` for normal `x > 0`, within 2 units in the last place; NaN for NaN and infinity.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    // The exponent that leaves a mantissa in [sqrt(1/2), sqrt 2).
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let e = (shifted as i32 >> 23) as f32;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let f = m - 1.0;
    let z = f * f;
    let mut p = 7.037_683_6e-2f32;
    p = p.mul_add(f, -1.151_461e-1);
    p = p.mul_add(f, 1.167_699_9e-1);
    p = p.mul_add(f, -1.242_014_1e-1);
    p = p.mul_add(f, 1.424_932_3e-1);
    p = p.mul_add(f, -1.666_805_8e-1);
    p = p.mul_add(f, 2.000_071_5e-1);
    p = p.mul_add(f, -2.499_999_4e-1);
    p = p.mul_add(f, 3.333_333e-1);
    let y = (p * f) * z;
    let y = e.mul_add(-2.121_944_4e-4, y);
    let y = z.mul_add(-0.5, y);
    let y = e.mul_add(355.0 / 512.0, f + y);
    if x < f32::INFINITY { y } else { f32::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Isa, IsaLevel, Kernel};

    fn ulps(got: f32, exact: f64) -> f64 {
        let unit = f64::from(f32::from_bits((exact as f32).abs().to_bits() + 1)) - exact.abs() as f32 as f64;
        (f64::from(got) - exact).abs() / unit
    }

    #[test]
    fn exp_and_ln_agree_with_libm() {
        let mut worst = (0.0f64, 0.0f64);
        for i in 0..=873_300u32 {
            let x = -(i as f32) * 1e-4;
            worst.0 = worst.0.max(ulps(exp(x), libm::exp(f64::from(x))));
            let x = 1.0 + i as f32 * 0.01;
            // Near 1 the logarithm is tiny: its error is bounded relatively by the same units.
            worst.1 = worst.1.max(if x > 1.0 { ulps(ln(x), libm::log(f64::from(x))) } else { 0.0 });
        }
        assert!(worst.0 <= 2.0 && worst.1 <= 2.0, "{worst:?}");
        assert_eq!((exp(0.0), ln(1.0)), (1.0, 0.0));
        assert_eq!((exp(-88.0), exp(f32::NEG_INFINITY)), (0.0, 0.0));
        assert!(exp(f32::NAN).is_nan() && exp(89.0).is_nan());
        assert!(ln(f32::NAN).is_nan() && ln(f32::INFINITY).is_nan());
    }

    struct Map<'a>(&'a mut [f32]);

    impl Kernel for Map<'_> {
        type Output = ();

        #[inline(always)]
        fn run(self) {
            self.0.iter_mut().for_each(|x| *x = ln(1.0 + exp(*x)));
        }
    }

    #[test]
    fn every_level_and_position_gives_the_same_bits() {
        let values: Vec<f32> = (0..1003).map(|i| -0.087 * i as f32).collect();
        let single: Vec<u32> = values.iter().map(|&x| ln(1.0 + exp(x)).to_bits()).collect();
        for level in [IsaLevel::Portable, IsaLevel::Avx2, IsaLevel::Avx512] {
            for start in [0, 1, 7] {
                let mut some = values[start..].to_vec();
                Isa::at_most(level).run(Map(&mut some));
                let bits: Vec<u32> = some.iter().map(|x| x.to_bits()).collect();
                assert_eq!(bits, single[start..], "{level:?} from {start}");
            }
        }
    }
}
