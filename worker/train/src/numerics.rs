//! The name under which results are comparable bit by bit.

/// The numerics class of the lockstep engine on the CPU.
///
/// Within a class the same job gives the same bytes. The class names engine, backend, precision and a
/// version to be raised whenever any result bit can change. It does not name the instruction set: every
/// element of a matrix product is one chain of fused multiply-adds in the order of the inner index, whatever
/// the tile or the vector width, and every other kernel is element by element or in row order, so AVX-512,
/// AVX2 and portable code agree bit for bit (a test holds them to it) and mixed fleets share their work.
pub fn numerics_class() -> String {
    "lockstep-cpu-f32-fma-v1".to_owned()
}
