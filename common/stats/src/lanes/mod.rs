//! Loops over shadows at the width of the machine.
//!
//! A loop is written once, in plain f64 arithmetic without branches, and compiled for several levels of
//! vector instructions ([`dispatch`]); the arithmetic is the same on each, to the last bit: Rust never
//! contracts a product and a sum, and sums over [`LANES`] ([`Vector`]) are always added in the same order.

mod column;
mod dispatch;
mod few;
mod math;
mod pack;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use column::Column;
#[cfg(test)]
pub(crate) use dispatch::on_every_level;
pub(crate) use dispatch::{Kernel, dispatch};
pub(crate) use few::{FEW, has_network, sort_few};
pub(crate) use math::{TWO_52, exp, linear, ln, ln_1p, softplus};
pub(crate) use pack::{bits_at, load_part, pack};
pub(crate) use vector::Vector;

/// Numbers that are handled side by side: a vector of AVX-512, two of AVX2, four of SSE2.
pub(crate) const LANES: usize = 8;

/// The number of lanes that hold `n` values.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}
