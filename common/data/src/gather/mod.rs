//! Batches of records by row, as a model is given them.
//!
//! A [`Gather`] is told the rows of a batch ahead ([`Gather::announce`]) and gives the batches in that order
//! ([`Gather::take`], or [`Gather::take_stored`] for a device that normalises by itself). Its records are
//! **resident**, mapped into memory, or **streamed**, read from the file on a thread of its own while the
//! batch before is being worked on: for sets larger than memory. Both give the same bits. Labels, four bytes
//! a record or less, are always mapped: see [`crate::Dataset::labels`].

mod normalise;
mod rows;
mod source;
mod streamed;

pub use normalise::normalised;
pub use rows::rows;
pub use source::Gather;
