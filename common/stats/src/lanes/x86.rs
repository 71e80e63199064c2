//! The vectors of AVX-512 and AVX2.
#![allow(unsafe_code, reason = "the instructions of one level are there where that level was found")]

use std::arch::x86_64::{
    __m256, __m256d, __m512d, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_LT_OQ, _mm256_add_epi64, _mm256_add_pd,
    _mm256_and_pd, _mm256_and_si256, _mm256_blend_pd, _mm256_blendv_pd, _mm256_castpd_ps,
    _mm256_castpd_si256, _mm256_castps_pd, _mm256_castps_si256, _mm256_castsi256_pd, _mm256_castsi256_ps,
    _mm256_cmp_pd, _mm256_cmp_ps, _mm256_cmpeq_epi64, _mm256_cvtpd_ps, _mm256_div_pd, _mm256_fmadd_pd,
    _mm256_loadu_pd, _mm256_loadu_si256, _mm256_movemask_pd, _mm256_movemask_ps, _mm256_mul_pd, _mm256_or_ps,
    _mm256_permute2f128_pd, _mm256_permute4x64_pd, _mm256_permutevar8x32_ps, _mm256_set_m128,
    _mm256_set1_epi64x, _mm256_set1_pd, _mm256_set1_ps, _mm256_setr_epi32, _mm256_setr_epi64x,
    _mm256_setzero_ps, _mm256_setzero_si256, _mm256_slli_epi64, _mm256_storeu_pd, _mm256_storeu_ps,
    _mm256_storeu_si256, _mm256_sub_epi32, _mm256_sub_pd, _mm256_unpackhi_pd, _mm256_unpacklo_pd,
    _mm512_add_epi64, _mm512_add_pd, _mm512_alignr_epi64, _mm512_castpd_si512, _mm512_castsi512_pd,
    _mm512_cmp_pd_mask, _mm512_div_pd, _mm512_fmadd_pd, _mm512_loadu_pd, _mm512_mask_add_pd,
    _mm512_mask_blend_pd, _mm512_maskz_compress_pd, _mm512_maskz_mov_pd, _mm512_mul_pd, _mm512_set1_pd,
    _mm512_shuffle_f64x2, _mm512_slli_epi64, _mm512_storeu_pd, _mm512_sub_pd, _mm512_unpackhi_pd,
    _mm512_unpacklo_pd,
};

use super::LANES;
use super::math::MANTISSA_BITS;
use super::vector::Vector;

// SAFETY (every block below): `Avx512` and `Avx2` are named only by the functions `avx512` and `avx2`
// above, which are called where the instructions were found; pointers are those of references to as many
// numbers as are read or written.

#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512d);

impl Vector for Avx512 {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self(unsafe { _mm512_set1_pd(value) })
    }

    #[inline(always)]
    fn load(from: &[f64; LANES]) -> Self {
        Self(unsafe { _mm512_loadu_pd(from.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [f64; LANES]) {
        unsafe { _mm512_storeu_pd(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(unsafe { _mm512_add_pd(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(unsafe { _mm512_sub_pd(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(unsafe { _mm512_mul_pd(self.0, other.0) })
    }

    #[inline(always)]
    fn times_power_of_two(self, power: Self) -> Self {
        Self(unsafe {
            let more = _mm512_slli_epi64::<MANTISSA_BITS>(_mm512_castpd_si512(power.0));
            _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(self.0), more))
        })
    }

    #[inline(always)]
    fn below(self, other: Self) -> Self {
        Self(unsafe {
            _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0), _mm512_set1_pd(1.0))
        })
    }

    #[inline(always)]
    fn pick(self, a: Self, b: Self) -> Self {
        Self(unsafe {
            let above = _mm512_cmp_pd_mask::<_CMP_GT_OQ>(self.0, _mm512_set1_pd(0.0));
            _mm512_mask_blend_pd(above, b.0, a.0)
        })
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(unsafe { _mm512_div_pd(self.0, other.0) })
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Self(unsafe { _mm512_fmadd_pd(self.0, factor.0, term.0) })
    }

    #[inline(always)]
    fn lanes_below(self, other: Self) -> u8 {
        unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn lanes_equal(self, other: Self) -> u8 {
        unsafe { _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn store_packed(self, lanes: u8, to: &mut [f64; LANES]) {
        Self(unsafe { _mm512_maskz_compress_pd(lanes, self.0) }).store(to);
    }

    #[inline(always)]
    fn wins_of_distinct(inside: &[f64; LANES], m: usize, outside: &[f64; LANES], n: usize) -> Option<u32> {
        wins_of_distinct(inside, m, outside, n)
    }

    #[inline(always)]
    fn select(lanes: u8, a: Self, b: Self) -> Self {
        Self(unsafe { _mm512_mask_blend_pd(lanes, b.0, a.0) })
    }

    #[inline(always)]
    fn add_in(self, lanes: u8, other: Self) -> Self {
        Self(unsafe { _mm512_mask_add_pd(self.0, lanes, self.0, other.0) })
    }

    #[inline(always)]
    fn rotated(self) -> Self {
        Self(unsafe {
            let lanes = _mm512_castpd_si512(self.0);
            _mm512_castsi512_pd(_mm512_alignr_epi64::<1>(lanes, lanes))
        })
    }

    #[inline(always)]
    fn turned(rows: [Self; LANES]) -> [Self; LANES] {
        let [Self(a), Self(b), Self(c), Self(d), Self(e), Self(f), Self(g), Self(h)] = rows;
        // Pairs of rows interleaved: even columns, and odd ones.
        let [c0, c2, c4, c6] = unsafe {
            quarters_turned([
                _mm512_unpacklo_pd(a, b),
                _mm512_unpacklo_pd(c, d),
                _mm512_unpacklo_pd(e, f),
                _mm512_unpacklo_pd(g, h),
            ])
        };
        let [c1, c3, c5, c7] = unsafe {
            quarters_turned([
                _mm512_unpackhi_pd(a, b),
                _mm512_unpackhi_pd(c, d),
                _mm512_unpackhi_pd(e, f),
                _mm512_unpackhi_pd(g, h),
            ])
        };
        [Self(c0), Self(c1), Self(c2), Self(c3), Self(c4), Self(c5), Self(c6), Self(c7)]
    }
}

/// Four rows of four quarters become columns.
#[inline(always)]
fn quarters_turned([a, b, c, d]: [__m512d; 4]) -> [__m512d; 4] {
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    unsafe {
        let (ab_even, ab_odd) = (_mm512_shuffle_f64x2::<EVEN>(a, b), _mm512_shuffle_f64x2::<ODD>(a, b));
        let (cd_even, cd_odd) = (_mm512_shuffle_f64x2::<EVEN>(c, d), _mm512_shuffle_f64x2::<ODD>(c, d));
        [
            _mm512_shuffle_f64x2::<EVEN>(ab_even, cd_even),
            _mm512_shuffle_f64x2::<EVEN>(ab_odd, cd_odd),
            _mm512_shuffle_f64x2::<ODD>(ab_even, cd_even),
            _mm512_shuffle_f64x2::<ODD>(ab_odd, cd_odd),
        ]
    }
}

/// The lower and the upper half of the lanes.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256d, __m256d);

impl Vector for Avx2 {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        let half = unsafe { _mm256_set1_pd(value) };
        Self(half, half)
    }

    #[inline(always)]
    fn load(from: &[f64; LANES]) -> Self {
        let [low, high] = from.as_chunks::<4>().0 else { unreachable!("eight lanes are twice four") };
        unsafe { Self(_mm256_loadu_pd(low.as_ptr()), _mm256_loadu_pd(high.as_ptr())) }
    }

    #[inline(always)]
    fn store(self, to: &mut [f64; LANES]) {
        let [low, high] = to.as_chunks_mut::<4>().0 else { unreachable!("eight lanes are twice four") };
        unsafe {
            _mm256_storeu_pd(low.as_mut_ptr(), self.0);
            _mm256_storeu_pd(high.as_mut_ptr(), self.1);
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(_mm256_add_pd(self.0, other.0), _mm256_add_pd(self.1, other.1)) }
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        unsafe { Self(_mm256_sub_pd(self.0, other.0), _mm256_sub_pd(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        unsafe { Self(_mm256_mul_pd(self.0, other.0), _mm256_mul_pd(self.1, other.1)) }
    }

    #[inline(always)]
    fn times_power_of_two(self, power: Self) -> Self {
        Self(half_times_power_of_two(self.0, power.0), half_times_power_of_two(self.1, power.1))
    }

    #[inline(always)]
    fn below(self, other: Self) -> Self {
        let below = |a, b| unsafe { _mm256_and_pd(_mm256_cmp_pd::<_CMP_LT_OQ>(a, b), _mm256_set1_pd(1.0)) };
        Self(below(self.0, other.0), below(self.1, other.1))
    }

    #[inline(always)]
    fn pick(self, a: Self, b: Self) -> Self {
        let pick =
            |x, a, b| unsafe { _mm256_blendv_pd(b, a, _mm256_cmp_pd::<_CMP_GT_OQ>(x, _mm256_set1_pd(0.0))) };
        Self(pick(self.0, a.0, b.0), pick(self.1, a.1, b.1))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        unsafe { Self(_mm256_div_pd(self.0, other.0), _mm256_div_pd(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        unsafe { Self(_mm256_fmadd_pd(self.0, factor.0, term.0), _mm256_fmadd_pd(self.1, factor.1, term.1)) }
    }

    #[inline(always)]
    fn lanes_below(self, other: Self) -> u8 {
        let low = unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LT_OQ>(self.0, other.0)) };
        let high = unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LT_OQ>(self.1, other.1)) };
        low as u8 | (high as u8) << 4
    }

    #[inline(always)]
    fn lanes_equal(self, other: Self) -> u8 {
        let low = unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_EQ_OQ>(self.0, other.0)) };
        let high = unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_EQ_OQ>(self.1, other.1)) };
        low as u8 | (high as u8) << 4
    }

    #[inline(always)]
    fn store_packed(self, lanes: u8, to: &mut [f64; LANES]) {
        let (low, high) = (lanes & 0xf, lanes >> 4);
        // The upper half begins where the lower one ends, after four at most.
        for (half, lanes, first) in [(self.0, low, 0), (self.1, high, low.count_ones())] {
            let to: &mut [f64; 4] = to[first as usize..].first_chunk_mut().expect("eight are twice four");
            unsafe {
                let places = _mm256_loadu_si256(PACKED[usize::from(lanes)].as_ptr().cast());
                let packed = _mm256_permutevar8x32_ps(_mm256_castpd_ps(half), places);
                _mm256_storeu_pd(to.as_mut_ptr(), _mm256_castps_pd(packed));
            }
        }
    }

    #[inline(always)]
    fn wins_of_distinct(inside: &[f64; LANES], m: usize, outside: &[f64; LANES], n: usize) -> Option<u32> {
        wins_of_distinct(inside, m, outside, n)
    }

    #[inline(always)]
    fn select(lanes: u8, a: Self, b: Self) -> Self {
        unsafe {
            let [low, high] = spread(lanes);
            Self(_mm256_blendv_pd(b.0, a.0, low), _mm256_blendv_pd(b.1, a.1, high))
        }
    }

    #[inline(always)]
    fn add_in(self, lanes: u8, other: Self) -> Self {
        Self::select(lanes, self.add(other), self)
    }

    #[inline(always)]
    fn rotated(self) -> Self {
        unsafe {
            let (low, high) = (_mm256_permute4x64_pd::<0x39>(self.0), _mm256_permute4x64_pd::<0x39>(self.1));
            Self(_mm256_blend_pd::<0b1000>(low, high), _mm256_blend_pd::<0b1000>(high, low))
        }
    }

    #[inline(always)]
    fn turned(rows: [Self; LANES]) -> [Self; LANES] {
        let [a, b, c, d, e, f, g, h] = rows;
        let [t0, t1, t2, t3] = turned_quarter([a.0, b.0, c.0, d.0]);
        let [t4, t5, t6, t7] = turned_quarter([a.1, b.1, c.1, d.1]);
        let [u0, u1, u2, u3] = turned_quarter([e.0, f.0, g.0, h.0]);
        let [u4, u5, u6, u7] = turned_quarter([e.1, f.1, g.1, h.1]);
        [
            Self(t0, u0),
            Self(t1, u1),
            Self(t2, u2),
            Self(t3, u3),
            Self(t4, u4),
            Self(t5, u5),
            Self(t6, u6),
            Self(t7, u7),
        ]
    }
}

#[inline(always)]
fn half_times_power_of_two(x: __m256d, power: __m256d) -> __m256d {
    unsafe {
        let more = _mm256_slli_epi64::<{ MANTISSA_BITS as i32 }>(_mm256_castpd_si256(power));
        _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(x), more))
    }
}

/// By the lanes that are set of four, where the halves of each are taken from to have them follow each other.
static PACKED: [[i32; 8]; 16] = {
    let mut all = [[0; 8]; 16];
    let mut lanes = 0;
    while lanes < 16 {
        let (mut next, mut lane) = (0, 0);
        while lane < 4 {
            if lanes >> lane & 1 == 1 {
                all[lanes][next] = 2 * lane;
                all[lanes][next + 1] = 2 * lane + 1;
                next += 2;
            }
            lane += 1;
        }
        lanes += 1;
    }
    all
};

/// See [`Vector::wins_of_distinct`]. Rounded to half of their digits, eight values fill a vector of AVX2; those
/// that differ after it are in the same order as before it.
#[inline(always)]
fn wins_of_distinct(inside: &[f64; LANES], m: usize, outside: &[f64; LANES], n: usize) -> Option<u32> {
    let (x, y) = (rounded(inside, m), rounded(outside, n));
    let mut one_by_one = [0.0f32; LANES];
    unsafe { _mm256_storeu_ps(one_by_one.as_mut_ptr(), x) };
    let (mut wins, mut equal) = unsafe { (_mm256_setzero_si256(), _mm256_setzero_ps()) };
    for &x in &one_by_one[..m] {
        unsafe {
            let x = _mm256_set1_ps(x);
            // All bits are -1.
            wins = _mm256_sub_epi32(wins, _mm256_castps_si256(_mm256_cmp_ps::<_CMP_LT_OQ>(y, x)));
            equal = _mm256_or_ps(equal, _mm256_cmp_ps::<_CMP_EQ_OQ>(y, x));
        }
    }
    // In a ring, no two are farther apart than half of it.
    let (mut ring_x, mut ring_y) = (x, y);
    for _ in 0..LANES / 2 {
        unsafe {
            let next = _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0);
            (ring_x, ring_y) =
                (_mm256_permutevar8x32_ps(ring_x, next), _mm256_permutevar8x32_ps(ring_y, next));
            equal = _mm256_or_ps(equal, _mm256_cmp_ps::<_CMP_EQ_OQ>(x, ring_x));
            equal = _mm256_or_ps(equal, _mm256_cmp_ps::<_CMP_EQ_OQ>(y, ring_y));
        }
    }
    let mut by_lane = [0u32; LANES];
    unsafe { _mm256_storeu_si256(by_lane.as_mut_ptr().cast(), wins) };
    (unsafe { _mm256_movemask_ps(equal) } == 0).then(|| by_lane.iter().sum())
}

/// The first `n` of eight values with half of their digits; no numbers in the other lanes.
#[inline(always)]
fn rounded(values: &[f64; LANES], n: usize) -> __m256 {
    /// Bits that leave a number as it is, and that make it none.
    static ABSENT: [u32; 2 * LANES] = [0, 0, 0, 0, 0, 0, 0, 0, !0, !0, !0, !0, !0, !0, !0, !0];
    let Avx2(low, high) = Avx2::load(values);
    let absent: &[u32; LANES] = ABSENT[LANES - n..].first_chunk().expect("there are twice as many");
    unsafe {
        let absent = _mm256_castsi256_ps(_mm256_loadu_si256(absent.as_ptr().cast()));
        _mm256_or_ps(_mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low)), absent)
    }
}

/// All bits of a lane where its bit is set.
#[inline(always)]
fn spread(lanes: u8) -> [__m256d; 2] {
    unsafe {
        let (low, high) = (_mm256_setr_epi64x(1, 2, 4, 8), _mm256_setr_epi64x(16, 32, 64, 128));
        let all = _mm256_set1_epi64x(i64::from(lanes));
        [
            _mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(all, low), low)),
            _mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(all, high), high)),
        ]
    }
}

/// Four rows of four become columns.
#[inline(always)]
fn turned_quarter([a, b, c, d]: [__m256d; 4]) -> [__m256d; 4] {
    unsafe {
        let (ab_low, ab_high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
        [
            _mm256_permute2f128_pd::<0x20>(ab_low, cd_low),
            _mm256_permute2f128_pd::<0x20>(ab_high, cd_high),
            _mm256_permute2f128_pd::<0x31>(ab_low, cd_low),
            _mm256_permute2f128_pd::<0x31>(ab_high, cd_high),
        ]
    }
}
