//! Data sets: tables, arrays, images and signals with a schema are read, checked, encoded into one canonical
//! file, and memory-mapped.
//!
//! [`import`] reads what a [`Schema`] describes and encodes it: the columns of a table into features, the
//! numbers of images and signals as they are, beside what normalises them; records sorted by unit and content,
//! so that the same records in any order give the same bytes and the same [`Dataset::digest`]. [`Dataset`] opens an encoded file without copying it, and [`gather`] picks rows.

mod arrange;
mod array;
mod assemble;
mod channels;
mod csv_file;
mod dataset;
mod description;
mod duplicates;
mod encoder;
mod error;
mod expand;
mod files;
pub mod gather;
mod images;
mod import;
mod labels;
mod layout;
pub mod limits;
pub mod logits;
mod manifest;
mod mmap;
mod moments;
pub mod npy;
mod number;
mod order;
mod parquet_cells;
mod parquet_file;
mod positioned;
mod quiet;
mod records;
mod refusal;
mod roles;
mod root;
mod schema;
mod scratch;
mod several;
mod spool;
mod table;
mod table_file;
mod text;
mod units;
mod values;
mod wfdb;
mod writer;

pub use dataset::{Attribute, Dataset};
pub use description::{Description, EncodedColumn, Encoding};
pub use error::DataError;
pub use expand::expand;
pub use files::write_atomically;
pub use import::{Imported, import};
pub use labels::{Labels, UNKNOWN};
pub use refusal::{ImportError, Refusal, Refusals};
pub use schema::{ColumnKind, DatasetKind, Schema};
pub use umbra_core::shape::{DataShape, Form, Targets};
pub use units::unit_digest;
pub use values::{Channel, Normalisation, Number, Values};
