//! What one step does: which records it touched, and what it wants done.

use std::collections::BTreeSet;

use super::{Action, Cluster, MAX_RECORDS, Record, RecordKey};
use crate::ids::{AuditId, PackId};

/// The effects of one step, gathered. Records are named here and read from the cluster at the end, so a
/// record touched twice is written once, and as it finally is.
#[derive(Debug, Default)]
pub(super) struct Out {
    touched: BTreeSet<RecordKey>,
    actions: Vec<Action>,
}

impl Out {
    pub(super) fn touch_cluster(&mut self) {
        self.touched.insert(RecordKey::Cluster);
    }

    pub(super) fn touch_audit(&mut self, audit: &AuditId) {
        self.touched.insert(RecordKey::Audit(audit.clone()));
    }

    pub(super) fn touch_pack(&mut self, pack: &PackId) {
        self.touched.insert(RecordKey::Pack(pack.clone()));
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// How many more records this step may touch.
    pub(super) fn room(&self) -> usize {
        MAX_RECORDS.saturating_sub(self.touched.len())
    }

    /// The step's actions: its records as they are now, then the rest in order.
    pub(super) fn into_actions(self, cluster: &Cluster) -> Vec<Action> {
        debug_assert!(self.touched.len() <= MAX_RECORDS, "a step touched {} records", self.touched.len());
        let writes = self.touched.into_iter().map(|key| match cluster.record(&key) {
            Some(record) => Action::Put(record),
            None => Action::Delete(key),
        });
        writes.chain(self.actions).collect()
    }
}

impl Cluster {
    /// The record under a key, as it should be stored now.
    pub(super) fn record(&self, key: &RecordKey) -> Option<Record> {
        match key {
            RecordKey::Cluster => Some(Record::Cluster(self.record)),
            RecordKey::Audit(id) => self.audits.get(id).map(|audit| Record::Audit(audit.record.clone())),
            RecordKey::Pack(id) => self.pack(id).map(|pack| Record::Pack(pack.clone())),
        }
    }
}
