//! Data sets: tables with a schema are read, checked, encoded into one canonical file, and memory-mapped.
//!
//! [`import`] reads a Parquet or CSV table as a [`Schema`] says and encodes it: every column into numbers,
//! records sorted by unit and content, so that the same rows in any order give the same bytes and the same
//! [`Dataset::digest`]. [`Dataset`] opens an encoded file without copying it, and [`gather`] picks rows.

mod csv_file;
mod dataset;
mod description;
mod duplicates;
mod encoder;
mod error;
mod files;
pub mod gather;
mod import;
mod layout;
pub mod limits;
pub mod logits;
mod mmap;
pub mod npy;
mod number;
mod order;
mod parquet_cells;
mod parquet_file;
mod quiet;
mod records;
mod refusal;
mod roles;
mod schema;
mod table;
mod text;
mod units;

pub use dataset::{Attribute, Dataset};
pub use description::{Description, EncodedColumn, Encoding};
pub use error::DataError;
pub use files::write_atomically;
pub use import::{Imported, import};
pub use refusal::{ImportError, Refusal, Refusals};
pub use schema::{ColumnKind, DatasetKind, Schema};
pub use umbra_core::shape::DataShape;
pub use units::unit_digest;
