//! The generated code; its documentation is the protos' comments.
#![allow(missing_docs, clippy::all, rust_2018_idioms)]

/// The wire.
pub mod v1 {
    tonic::include_proto!("umbra.v1");
}

/// What is persisted.
pub mod store {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("umbra.store.v1");
    }
}

/// The descriptors of all files, for reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/umbra_descriptor.bin"));
