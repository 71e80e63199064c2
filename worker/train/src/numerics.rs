//! The name under which results are comparable bit by bit.

/// The numerics class of the lockstep engine.
///
/// Within a class the same job gives the same bytes. The class names engine, precision and a version to be raised
/// whenever any result bit can change. It names neither device nor instruction set: every element of a matrix
/// product is one chain of fused multiply-adds in the order of the inner index, whatever the tile or the vector
/// width, and every other sum has an order of its own, too, so CUDA devices, AVX-512, AVX2 and portable code agree
/// bit for bit (tests hold them to it) and mixed fleets share their work.
pub fn numerics_class() -> String {
    "lockstep-f32-fma-v2".to_owned()
}
