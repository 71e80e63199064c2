//! The coordinator: API, engine loop, stores, ingest, statistics and report.

pub mod blobs;
pub mod report;
pub mod store;
