//! The wire (`umbra.v1`) and what is persisted (`umbra.store.v1`), generated from the protos, with the
//! conversions to and from the core's types and the errors' details.

pub mod convert;
pub mod error;
mod generated;

pub use generated::{DESCRIPTOR_SET, store, v1};

/// The version of the worker protocol. Workers and coordinators of different numbers refuse each other.
pub const PROTOCOL: u32 = 1;

/// Bytes per chunk of a stream, at most.
pub const CHUNK: usize = 1 << 20;

/// The largest message either side accepts, decompressed.
pub const MAX_MESSAGE: usize = 4 << 20;

/// The largest checkpoint that is written or read, in bytes.
pub const MAX_CHECKPOINT: u64 = 4 << 30;
