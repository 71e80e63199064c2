//! Philox4x32-10 (Salmon et al. 2011, doi 10.1145/2063384.2063405): four random words for every counter, in any order
//! and on any device. The key comes from the seed tree.

use crate::math::ln;

const MULTIPLIERS: (u64, u64) = (0xd251_1f53, 0xcd9e_8d57);
const STEPS: (u32, u32) = (0x9e37_79b9, 0xbb67_ae85);

/// Four random words of a counter.
#[inline(always)]
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], [mut k, mut l]) = (counter, key);
    for _ in 0..10 {
        let (first, second) = (u64::from(a) * MULTIPLIERS.0, u64::from(c) * MULTIPLIERS.1);
        (a, b, c, d) =
            ((second >> 32) as u32 ^ b ^ k, second as u32, (first >> 32) as u32 ^ d ^ l, first as u32);
        (k, l) = (k.wrapping_add(STEPS.0), l.wrapping_add(STEPS.1));
    }
    [a, b, c, d]
}

/// The words of sixteen counters `[first + i, ...rest]`, by word: the same as [`philox`] one by one.
#[inline(always)]
pub fn philox_16(first: u32, [b, c, d]: [u32; 3], [mut k, mut l]: [u32; 2]) -> [[u32; 16]; 4] {
    let mut words = [[first; 16], [b; 16], [c; 16], [d; 16]];
    for (i, word) in (0..).zip(&mut words[0]) {
        *word = first.wrapping_add(i);
    }
    for _ in 0..10 {
        let mut next = [[0; 16]; 4];
        for i in 0..16 {
            let (first, second) =
                (u64::from(words[0][i]) * MULTIPLIERS.0, u64::from(words[2][i]) * MULTIPLIERS.1);
            next[0][i] = (second >> 32) as u32 ^ words[1][i] ^ k;
            next[1][i] = second as u32;
            next[2][i] = (first >> 32) as u32 ^ words[3][i] ^ l;
            next[3][i] = first as u32;
        }
        words = next;
        (k, l) = (k.wrapping_add(STEPS.0), l.wrapping_add(STEPS.1));
    }
    words
}

/// Uniform in `[0, 1)`, a multiple of 2^-24.
#[inline(always)]
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / (1u32 << 24) as f32)
}

/// Two standard normal numbers (Box and Muller 1958), as plain arithmetic, so that every device gives the same bits.
///
/// The angle is drawn in eighths of a turn, so that what is left of it needs no reduction: sine and cosine are
/// Cephes' polynomials (S. L. Moshier, `sinf.c`) on an eighth. Between eighths they change places, between quarters
/// their signs.
pub fn normals(first: u32, second: u32) -> [f32; 2] {
    // In (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * ln(1.0 - uniform(first))).sqrt();
    let angle = (second >> 8 & 0x1f_ffff) as f32 * (1.0 / 2_097_152.0) * std::f32::consts::FRAC_PI_4;
    let square = angle * angle;
    let mut s = -1.951_529_6e-4f32;
    s = s.mul_add(square, 8.332_161e-3);
    s = s.mul_add(square, -1.666_665_5e-1);
    let sine = (s * square).mul_add(angle, angle);
    let mut c = 2.443_315_7e-5f32;
    c = c.mul_add(square, -1.388_731_6e-3);
    c = c.mul_add(square, 4.166_664_6e-2);
    let cosine = (c * square).mul_add(square, square.mul_add(-0.5, 1.0));
    let (x, y) = if second >> 29 & 1 == 1 { (sine, cosine) } else { (cosine, sine) };
    let signed = |bit: u32, x: f32| if second >> bit & 1 == 1 { -x } else { x };
    [radius * signed(30, x), radius * signed(31, y)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' Random123 library (tests/kat_vectors).
    #[test]
    fn words_are_those_of_the_reference() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = u32::MAX;
        assert_eq!(philox([ones; 4], [ones; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let key = [0xa409_3822, 0x299f_31d0];
        assert_eq!(philox(counter, key), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn sixteen_counters_at_once_give_the_words_of_each() {
        let words = philox_16(u32::MAX - 3, [5, 6, 7], [8, 9]);
        for i in 0..16 {
            let one = philox([(u32::MAX - 3).wrapping_add(i as u32), 5, 6, 7], [8, 9]);
            assert_eq!([words[0][i], words[1][i], words[2][i], words[3][i]], one);
        }
    }

    #[test]
    fn normals_have_the_moments_of_a_normal() {
        let (mut sum, mut square) = (0.0f64, 0.0f64);
        let n = 50_000;
        for i in 0..n {
            let [a, b, ..] = philox([i, 0, 0, 0], [1, 2]);
            for x in normals(a, b).map(f64::from) {
                sum += x;
                square += x * x;
            }
        }
        // Five standard errors of 100,000 numbers.
        let n = 2.0 * f64::from(n);
        assert!((sum / n).abs() < 0.016 && (square / n - 1.0).abs() < 0.023);
    }
}
