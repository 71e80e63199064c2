//! Where the blobs of data sets and audits lie: the keys that coordinator and workers must agree on.

use crate::digest::Digest;
use crate::ids::{AuditId, Fence, PackId};

/// The folder of all data sets.
pub const DATASETS: &str = "dataset";

/// The folder of all audits.
pub const AUDITS: &str = "audit";

/// The blob of a data set, by the SHA-256 of its bytes.
pub fn dataset_blob(sha256: &Digest) -> String {
    format!("{DATASETS}/{sha256}")
}

/// The folder of everything an audit put into the blob store.
pub fn audit_blobs(id: &AuditId) -> String {
    format!("{AUDITS}/{id}")
}

/// The folder of everything that workers wrote for a pack.
pub fn pack_blobs(id: &PackId) -> String {
    format!("{}/pack-{}", audit_blobs(&id.audit), id.pack)
}

/// A blob that a worker writes under a fence: no two fences ever share a key.
pub fn pack_blob(id: &PackId, fence: Fence, name: &str) -> String {
    format!("{}/fence-{}/{name}", pack_blobs(id), fence.0)
}

/// A file of the findings, written in a leader's term: no two terms ever share a name.
pub fn findings_blob(id: &AuditId, term: &str, name: &str) -> String {
    format!("{}/findings-{term}/{name}", audit_blobs(id))
}
