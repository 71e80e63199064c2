//! Loops compiled for several levels of vector instructions, the best one chosen at run time.
#![allow(unsafe_code, reason = "calls what was compiled for instructions that were found at run time")]

use super::vector::{Portable, Vector};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};

/// A loop that is compiled once per level. Implementations mark `run` `#[inline(always)]`, and so do the
/// functions it is made of, so that the body is compiled with the level's instructions. What closures do with
/// vectors may be compiled without them, a call for each: name a function instead.
///
/// Loops that handle each element alone become vector code by themselves; sums, whose order the compiler
/// may not change, are written with the level's vectors `V`.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;

    /// Runs it.
    fn run<V: Vector>(self) -> Self::Output;
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
pub(super) fn has_avx512() -> bool {
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
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("popcnt")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,popcnt,avx512f,avx512vl,avx512dq,avx512bw")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,popcnt")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
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
