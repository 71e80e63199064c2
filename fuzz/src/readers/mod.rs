//! One function for each reader.

mod analyse;
mod beside;
mod cursor;
mod figures;
mod files;
mod toml;

#[path = "../../../client/src/audit_file/keys.rs"]
#[allow(dead_code, reason = "it is the client's own")]
mod audit_file_keys;

pub use analyse::analyse;
pub use beside::{array, images, wfdb};
pub use files::{dataset, import, logits, npy};
pub use toml::{audit_file, schema};

/// A function of arbitrary bytes.
pub type Reader = fn(&[u8]);

/// Every function by its name.
pub const ALL: [(&str, Reader); 10] = [
    ("analyse", analyse),
    ("array", array),
    ("audit_file", audit_file),
    ("dataset", dataset),
    ("images", images),
    ("import", import),
    ("logits", logits),
    ("npy", npy),
    ("schema", schema),
    ("wfdb", wfdb),
];
