//! Loops over shadows at the width of the machine.
//!
//! A loop is written once, in plain f64 arithmetic without branches, and compiled for several levels of
//! vector instructions ([`dispatch`]); the arithmetic is the same on each, to the last bit: Rust never
//! contracts a product and a sum, and [`Sum`] adds in an order of its own.

mod dispatch;
mod math;
mod sum;

#[cfg(test)]
pub(crate) use dispatch::on_every_level;
pub(crate) use dispatch::{Kernel, dispatch};
pub(crate) use math::{exp, ln, ln_1p};
pub(crate) use sum::{LANES, Sum, padded};
