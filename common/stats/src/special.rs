//! Special functions, on `libm` alone.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The standard normal distribution function.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// ln(2 pi) / 2.
pub(crate) fn half_ln_two_pi() -> f64 {
    0.5 * libm::log(2.0 * PI)
}

/// The arguments from which the asymptotic series below are exact to the last digits.
const ASYMPTOTIC: f64 = 12.0;

/// The digamma function for x > 0 (Abramowitz and Stegun 6.3.5 and 6.3.18).
pub(crate) fn digamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < ASYMPTOTIC {
        below -= 1.0 / x;
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y
        * (1.0 / 12.0
            - y * (1.0 / 120.0
                - y * (1.0 / 252.0
                    - y * (1.0 / 240.0 - y * (1.0 / 132.0 - y * (691.0 / 32_760.0 - y / 12.0))))));
    below + libm::log(x) - 0.5 / x - series
}

/// The trigamma function for x > 0 (Abramowitz and Stegun 6.4.6 and 6.4.12).
pub(crate) fn trigamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < ASYMPTOTIC {
        below += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y
        * (1.0 / 6.0
            - y * (1.0 / 30.0
                - y * (1.0 / 42.0
                    - y * (1.0 / 30.0 - y * (5.0 / 66.0 - y * (691.0 / 2_730.0 - y * 7.0 / 6.0))))));
    below + (1.0 + 0.5 / x + series) / x
}

/// The tetragamma function (third derivative of ln gamma) for x > 0 (Abramowitz and Stegun 6.4.6, 6.4.13).
fn tetragamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < ASYMPTOTIC {
        below -= 2.0 / (x * x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y * (0.5 - y * (1.0 / 6.0 - y * (1.0 / 6.0 - y * (0.3 - y * (5.0 / 6.0)))));
    below - (1.0 + 1.0 / x + series) * y
}

/// The x > 0 with trigamma(x) = y, for y > 0: Newton's method on 1 / trigamma (Smyth 2004, appendix),
/// which is nearly linear and convex, so that it converges from below without a step too far.
pub(crate) fn trigamma_inverse(y: f64) -> f64 {
    let mut x = 0.5 + 1.0 / y;
    // Beyond this, trigamma(x) = 1/x + 1/(2 x^2) to the last digit and the start is the answer.
    if y < 1e-7 {
        return x;
    }
    for _ in 0..60 {
        let value = trigamma(x);
        let step = value * (1.0 - value / y) / tetragamma(x);
        x += step;
        if libm::fabs(step) <= 1e-15 * x {
            break;
        }
    }
    x
}

/// ln gamma(x) for x > 0.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ln z! less Stirling's formula, (z + 1/2) ln z - z + ln(2 pi) / 2, for z >= 1.
pub(crate) fn stirling_error(z: u64) -> f64 {
    /// For z = 1 to 15, by mpmath 1.3.0.
    const SMALL: [f64; 15] = [
        0.081_061_466_795_327_26,
        0.041_340_695_955_409_3,
        0.027_677_925_684_998_34,
        0.020_790_672_103_765_093,
        0.016_644_691_189_821_193,
        0.013_876_128_823_070_748,
        0.011_896_709_945_891_77,
        0.010_411_265_261_972_096,
        0.009_255_462_182_712_733,
        0.008_330_563_433_362_87,
        0.007_573_675_487_951_841,
        0.006_942_840_107_209_53,
        0.006_408_994_188_004_207,
        0.005_951_370_112_758_847_5,
        0.005_554_733_551_962_801,
    ];
    match z {
        ..=15 => SMALL[z as usize - 1],
        _ => {
            let y = 1.0 / z as f64;
            let square = y * y;
            y * (1.0 / 12.0
                - square
                    * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 2e-15 * b.abs().max(1.0), "{a} is not {b}");
    }

    /// Expected: scipy 1.17.1, special.digamma, special.polygamma(1), polygamma(2), stats.norm.cdf.
    #[test]
    fn values_are_those_of_scipy() {
        for (x, psi, tri, tetra) in [
            (0.5, -1.9635100260214235, 4.93480220054468, -16.828796644234316),
            (1.0, -0.5772156649015329, 1.6449340668482266, -2.404113806319188),
            (3.5, 1.103156640645243, 0.3303577561002349, -0.1082040516417274),
            (31.0, 3.4177714660188583, 0.03278394924662884, -0.0010746911296545256),
            (1000.0, 6.907255195648812, 0.001000500166666633, -1.0010004999998335e-06),
        ] {
            close(digamma(x), psi);
            close(trigamma(x), tri);
            assert!((tetragamma(x) - tetra).abs() <= 1e-11 * tetra.abs());
            assert!((trigamma_inverse(tri) - x).abs() <= 1e-11 * x);
        }
        close(normal_cdf(1.0), 0.8413447460685429);
        assert!((normal_cdf(-8.0) / 6.22096057427174e-16 - 1.0).abs() < 1e-12);
    }
}
