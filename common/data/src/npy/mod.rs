//! Arrays that numpy saved: NPY files of the versions 1 to 3, in C or Fortran order and either byte order,
//! as `numpy.lib.format` specifies them.
//!
//! A header is not trusted: its array must fill the file exactly before anything is allocated for it, and
//! what is read at once is bounded however large the file is.

mod dtype;
mod error;
mod file;
mod header;
mod number;
mod parse;
#[cfg(test)]
mod tests;
mod text;

pub use dtype::{Dtype, Kind};
pub use error::NpyError;
pub use file::NpyFile;
pub use number::Real;
