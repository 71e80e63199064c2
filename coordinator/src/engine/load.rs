//! Reading the store at the start of a term.

use std::collections::BTreeMap;
use std::sync::Arc;

use umbra_core::cluster::Record;
use umbra_core::ids::AuditId;
use umbra_proto::store::v1 as stored;

use super::records::{Damaged, decode, decode_audit, decode_cluster, decode_pack};
use crate::facts::{AuditFacts, Unreadable};
use crate::keys;
use crate::store::{MetaStore, StoreError, read_all};

/// Everything a term starts from.
pub struct Loaded {
    /// The scheduler's records.
    pub records: Vec<Record>,
    /// What is known of each audit.
    pub facts: BTreeMap<AuditId, Arc<AuditFacts>>,
    /// How audits ended.
    pub ends: BTreeMap<AuditId, stored::StoredEnd>,
    /// When the store was last restored from a backup, in Unix milliseconds; 0 if it never was.
    pub life: u64,
}

/// Why the store could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// A request is damaged.
    #[error("the request of audit {0} is damaged ({1}); stop, and restore the meta store from a copy")]
    Request(AuditId, Unreadable),
    /// A restoration was cut short.
    #[error(
        "the meta store holds part of a backup, since its restoration did not finish: empty the store (the embedded \
         one: remove meta.redb) and run `umbra cluster restore` again"
    )]
    Restoring,
}

/// Reads everything a term starts from.
///
/// # Errors
/// [`LoadError`] if the store fails or holds what cannot be read.
pub async fn load(store: &dyn MetaStore) -> Result<Loaded, LoadError> {
    if store.get(&keys::restoring()).await?.is_some() {
        return Err(LoadError::Restoring);
    }
    let restored = keys::restored();
    let life = match store.get(&restored).await? {
        None => 0,
        Some(value) => decode::<stored::StoredRestore>(&restored, &value.bytes)?.restore_unix_milliseconds,
    };
    let life = u64::try_from(life).unwrap_or(0);
    let mut records = Vec::new();
    let mut facts = BTreeMap::new();
    let mut ends = BTreeMap::new();
    let cluster = keys::cluster();
    if let Some(value) = store.get(&cluster).await? {
        records.push(decode_cluster(&cluster, &value.bytes)?);
    }
    for entry in read_all(store, &keys::audits()).await? {
        let record = decode_audit(&entry.key, &entry.value.bytes)?;
        if let Record::Audit(audit) = &record {
            let id = audit.id.clone();
            let key = keys::request(&id);
            // The request is written with the audit's record and deleted with it.
            let value = store.get(&key).await?;
            let bytes = value.map(|value| value.bytes).unwrap_or_default();
            let request = decode::<stored::StoredRequest>(&key, &bytes)?;
            let read = AuditFacts::from_stored(id.clone(), request)
                .map_err(|error| LoadError::Request(id.clone(), error))?;
            facts.insert(id, Arc::new(read));
        }
        records.push(record);
    }
    for entry in read_all(store, &keys::packs()).await? {
        records.push(decode_pack(&entry.key, &entry.value.bytes)?);
    }
    for entry in read_all(store, &keys::ends()).await? {
        let end = decode::<stored::StoredEnd>(&entry.key, &entry.value.bytes)?;
        let name = entry.key.as_str().rsplit('/').next().unwrap_or_default();
        if let Ok(id) = AuditId::try_new(name) {
            ends.insert(id, end);
        }
    }
    Ok(Loaded { records, facts, ends, life })
}
