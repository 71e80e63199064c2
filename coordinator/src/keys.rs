//! Where small state lies: keys of the meta store, in one place. Those of blobs are in [`umbra_core::places`].

use umbra_core::ids::{AuditId, DatasetName, PackId};
use umbra_core::keys::{LogitsKey, TrainKey};

use crate::store::{Epoch, Key, Prefix};

fn key(text: String) -> Key {
    Key::try_new(text).expect("names and numbers make a valid key")
}

fn prefix(text: String) -> Prefix {
    Prefix::try_new(text).expect("names and numbers make a valid prefix")
}

/// The scheduler's counters.
pub fn cluster() -> Key {
    key("cluster".to_owned())
}

/// There while a backup is being restored, and after a restoration that was cut short.
pub fn restoring() -> Key {
    key("restoring".to_owned())
}

/// When the store was last restored from a backup; absent if it never was.
pub fn restored() -> Key {
    key("restored".to_owned())
}

/// All audits' scheduling records.
pub fn audits() -> Prefix {
    prefix("audit/".to_owned())
}

/// An audit's scheduling record.
pub fn audit(id: &AuditId) -> Key {
    key(format!("audit/{id}"))
}

/// All packs that have something to remember.
pub fn packs() -> Prefix {
    prefix("pack/".to_owned())
}

/// A pack's record.
pub fn pack(id: &PackId) -> Key {
    key(format!("pack/{}/{:08}", id.audit, id.pack.0))
}

/// What a person asked for.
pub fn request(id: &AuditId) -> Key {
    key(format!("request/{id}"))
}

/// All ends.
pub fn ends() -> Prefix {
    prefix("ended/".to_owned())
}

/// How an audit ended.
pub fn ended(id: &AuditId) -> Key {
    key(format!("ended/{id}"))
}

/// All data sets.
pub fn datasets() -> Prefix {
    prefix("dataset/".to_owned())
}

/// A data set.
pub fn dataset(name: &DatasetName) -> Key {
    key(format!("dataset/{name}"))
}

/// The verified logits of one shadow.
pub fn logits(logits: &LogitsKey) -> Key {
    key(format!("logits/{logits}"))
}

/// The verified logits of all shadows.
pub fn all_logits() -> Prefix {
    prefix("logits/".to_owned())
}

/// The verified weights of one shadow.
pub fn weights(train: &TrainKey) -> Key {
    key(format!("weights/{train}"))
}

/// The verified weights of all shadows.
pub fn all_weights() -> Prefix {
    prefix("weights/".to_owned())
}

/// What names the findings of a leader's term. A store that was restored at `life` counts its epochs from the start
/// again, so they name a term together with that only; 0 for one that never was.
pub fn term(life: u64, epoch: Epoch) -> String {
    match life {
        0 => epoch.to_string(),
        life => format!("{life}-{epoch}"),
    }
}
