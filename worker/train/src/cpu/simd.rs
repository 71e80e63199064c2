//! Instruction sets, found at run time, and loops compiled for each of them.
#![allow(unsafe_code)]

/// A level of vector instructions, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IsaLevel {
    /// Whatever the compiler's target has.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, VL, DQ and BW.
    Avx512,
}

/// A level that this machine was found to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Isa(IsaLevel);

impl Isa {
    /// The best level of this machine.
    pub fn best() -> Self {
        Self::at_most(IsaLevel::Avx512)
    }

    /// The best level of this machine that is not above `limit`. The choice changes no result, only speed.
    pub fn at_most(limit: IsaLevel) -> Self {
        let has = |level: IsaLevel| level <= limit && level.found();
        let levels = [IsaLevel::Avx512, IsaLevel::Avx2];
        Self(levels.into_iter().find(|&level| has(level)).unwrap_or(IsaLevel::Portable))
    }

    /// The level.
    pub fn level(self) -> IsaLevel {
        self.0
    }

    /// Runs a kernel compiled for this level.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            // SAFETY: an `Isa` is only made by `at_most`, which found the features.
            #[cfg(target_arch = "x86_64")]
            IsaLevel::Avx512 => unsafe { avx512(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            IsaLevel::Avx2 => unsafe { avx2(kernel) },
            _ => kernel.run(),
        }
    }
}

impl IsaLevel {
    #[cfg(target_arch = "x86_64")]
    fn found(self) -> bool {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        match self {
            Self::Portable => true,
            Self::Avx2 => avx2,
            Self::Avx512 => {
                avx2 && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn found(self) -> bool {
        self == Self::Portable
    }
}

/// A loop that is compiled once per level. Implementations mark `run` `#[inline(always)]`, so that its body
/// is compiled with the level's features; plain Rust arithmetic and `mul_add` mean the same on every level.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;

    /// Runs it.
    fn run(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
