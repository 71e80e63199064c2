//! The coordinator: API, engine loop, stores, ingest, statistics and report.

pub mod store;
