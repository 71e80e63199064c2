//! Loops compiled for several levels of vector instructions, the best one chosen at run time.
//!
//! The only unsafe code of this crate: calling what was compiled for instructions which the compiler's
//! target need not have.
#![allow(unsafe_code, reason = "calls what was compiled for instructions that were found at run time")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256d, __m512d, _CMP_GT_OQ, _CMP_LT_OQ, _mm256_add_pd, _mm256_and_pd, _mm256_blendv_pd, _mm256_cmp_pd,
    _mm256_loadu_pd, _mm256_movemask_pd, _mm256_mul_pd, _mm256_set1_pd, _mm256_storeu_pd, _mm256_sub_pd,
    _mm512_add_pd, _mm512_cmp_pd_mask, _mm512_loadu_pd, _mm512_mask_blend_pd, _mm512_maskz_mov_pd,
    _mm512_mul_pd, _mm512_set1_pd, _mm512_storeu_pd, _mm512_sub_pd,
};

use super::LANES;

/// A loop that is compiled once per level. Implementations mark `run` `#[inline(always)]`, and so do the
/// functions it is made of, so that the body is compiled with the level's instructions.
///
/// Loops that handle each element alone become vector code by themselves; sums, whose order the compiler
/// may not change, are written with the level's vectors `V`.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;

    /// Runs it.
    fn run<V: Vector>(self) -> Self::Output;
}

/// [`LANES`] numbers side by side. Every operation is that of the lanes, rounded as IEEE 754 says.
pub(crate) trait Vector: Copy {
    fn splat(value: f64) -> Self;
    fn load(from: &[f64; LANES]) -> Self;
    fn store(self, to: &mut [f64; LANES]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// 1 where this one is less, else 0.
    fn below(self, other: Self) -> Self;
    /// `a` where this one is above 0, else `b`.
    fn pick(self, a: Self, b: Self) -> Self;
    /// In how many lanes this one is less.
    fn count_below(self, other: Self) -> u32;

    /// The sum over the lanes, always in the same order.
    #[inline(always)]
    fn total(self) -> f64 {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        let [a, b, c, d, e, f, g, h] = lanes;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

/// Runs a kernel on the best level of this machine. The level changes no bit of the result.
#[inline]
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if has_avx512() {
            // SAFETY: the instructions were found.
            return unsafe { avx512(kernel) };
        }
        if has_avx2() {
            // SAFETY: the instructions were found.
            return unsafe { avx2(kernel) };
        }
    }
    kernel.run::<Portable>()
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx512() -> bool {
    #[cfg(test)]
    if LIMIT.get() < Level::Avx512 {
        return false;
    }
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx2() -> bool {
    #[cfg(test)]
    if LIMIT.get() < Level::Avx2 {
        return false;
    }
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt,avx512f,avx512vl,avx512dq,avx512bw")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

/// Whatever the compiler's target has.
#[derive(Clone, Copy)]
struct Portable([f64; LANES]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let mut lanes = self.0;
        for lane in 0..LANES {
            lanes[lane] = f(lanes[lane], other.0[lane]);
        }
        Self(lanes)
    }
}

impl Vector for Portable {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn load(from: &[f64; LANES]) -> Self {
        Self(*from)
    }

    #[inline(always)]
    fn store(self, to: &mut [f64; LANES]) {
        *to = self.0;
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn below(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { 1.0 } else { 0.0 })
    }

    #[inline(always)]
    fn pick(self, a: Self, b: Self) -> Self {
        let mut lanes = b.0;
        for lane in 0..LANES {
            lanes[lane] = if self.0[lane] > 0.0 { a.0[lane] } else { b.0[lane] };
        }
        Self(lanes)
    }

    #[inline(always)]
    fn count_below(self, other: Self) -> u32 {
        (0..LANES).map(|lane| u32::from(self.0[lane] < other.0[lane])).sum()
    }
}

// SAFETY (every block below): `Avx512` and `Avx2` are named only by the functions `avx512` and `avx2`
// above, which are called where the instructions were found; pointers are those of references to as many
// numbers as are read or written.

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx512(__m512d);

#[cfg(target_arch = "x86_64")]
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
    fn count_below(self, other: Self) -> u32 {
        unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0) }.count_ones()
    }
}

/// The lower and the upper half of the lanes.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(__m256d, __m256d);

#[cfg(target_arch = "x86_64")]
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
    fn count_below(self, other: Self) -> u32 {
        let mask = |a, b| unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LT_OQ>(a, b)) };
        mask(self.0, other.0).count_ones() + mask(self.1, other.1).count_ones()
    }
}

/// The highest level that this thread may use, for tests.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Portable,
    Avx2,
    Avx512,
}

#[cfg(test)]
thread_local! {
    static LIMIT: std::cell::Cell<Level> = const { std::cell::Cell::new(Level::Avx512) };
}

/// What `run` gives on every level that this machine has, or on a lower one in its place.
#[cfg(test)]
pub(crate) fn on_every_level<T>(mut run: impl FnMut() -> T) -> Vec<T> {
    let results = [Level::Portable, Level::Avx2, Level::Avx512].map(|level| {
        LIMIT.set(level);
        run()
    });
    results.into()
}
