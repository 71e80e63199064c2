//! The logits of one pack as one immutable blob, read record range by record range.
//!
//! ```text
//! magic "UMBRALG1"                                     8 bytes
//! version, first shadow, shadows, queries, classes,
//! records per tile, lost shadows                       7 x u32
//! records                                              u64
//! the lost shadows, ascending                          u32 each
//! tiles: zstd of f32 [record][query][class][shadow]
//! index: offset and length of every tile               2 x u64 each
//! offset of the index, number of tiles                 2 x u64
//! magic "UMBRAEND"                                     8 bytes
//! ```
//!
//! All numbers are little-endian. Every bound is checked: damaged or hostile bytes are an error.

mod header;
mod read;
mod write;

pub use header::LogitsHeader;
pub use read::LogitsReader;
pub use write::encode;

/// Bytes that are not the logits of a pack.
#[derive(Debug, thiserror::Error)]
pub enum LogitsError {
    /// The file cannot be read.
    #[error("the logits cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The bytes contradict the format.
    #[error("the logits are damaged: {0}")]
    Damaged(&'static str),
    /// More than this version reads.
    #[error("the logits are too large: {0}")]
    TooLarge(&'static str),
    /// A range beyond the records, or a buffer of another size.
    #[error("records {start} to {end} do not fit the logits or the buffer")]
    Range {
        /// The first record asked for.
        start: u64,
        /// One past the last.
        end: u64,
    },
}

#[cfg(test)]
mod tests;
