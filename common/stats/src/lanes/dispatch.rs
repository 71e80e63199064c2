//! Loops compiled for several levels of vector instructions, the best one chosen at run time.
//!
//! The only unsafe code of this crate: calling a function that was compiled for instructions which the
//! compiler's target need not have.
#![allow(unsafe_code, reason = "calls what was compiled for instructions that were found at run time")]

/// A loop that is compiled once per level. Implementations mark `run` `#[inline(always)]`, and so do the
/// functions it is made of, so that the body is compiled with the level's instructions.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;

    /// Runs it.
    fn run(self) -> Self::Output;
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
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq,avx512bw")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

/// The results of a kernel on every level that this machine has.
#[cfg(test)]
pub(crate) fn on_every_level<K: Kernel>(kernel: impl Fn() -> K) -> Vec<K::Output> {
    let mut results = vec![kernel().run()];
    #[cfg(target_arch = "x86_64")]
    {
        if has_avx2() {
            // SAFETY: the instructions were found.
            results.push(unsafe { avx2(kernel()) });
        }
        if has_avx512() {
            // SAFETY: the instructions were found.
            results.push(unsafe { avx512(kernel()) });
        }
    }
    results
}
