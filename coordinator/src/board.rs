//! The board: every audit as clients see it, written by the engine, read and watched by the API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;
use umbra_core::ids::AuditId;
use umbra_proto::v1;

/// Every audit as clients see it. Clones share it.
#[derive(Clone)]
pub struct Board(Arc<Inner>);

struct Inner {
    audits: Mutex<BTreeMap<AuditId, Arc<v1::Audit>>>,
    /// Counts changes of anything; watchers wake on it.
    changes: watch::Sender<u64>,
}

impl Board {
    /// An empty board.
    pub fn new() -> Self {
        Self(Arc::new(Inner { audits: Mutex::default(), changes: watch::Sender::new(0) }))
    }

    /// Takes everything down: another coordinator leads, and what it does is not seen here.
    pub fn clear(&self) {
        self.audits().clear();
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    /// Shows an audit. What has not changed but for its revision is left as it is.
    pub fn show(&self, id: &AuditId, mut audit: v1::Audit) {
        let mut audits = self.audits();
        if let Some(old) = audits.get(id) {
            audit.revision = old.revision;
            if **old == audit {
                return;
            }
        }
        audit.revision += 1;
        audits.insert(id.clone(), Arc::new(audit));
        drop(audits);
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    /// Takes an audit off the board.
    pub fn remove(&self, id: &AuditId) {
        if self.audits().remove(id).is_some() {
            self.0.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// One audit.
    pub fn get(&self, id: &AuditId) -> Option<Arc<v1::Audit>> {
        self.audits().get(id).cloned()
    }

    /// All audits, newest first; those of one millisecond by id.
    pub fn list(&self) -> Vec<Arc<v1::Audit>> {
        let mut audits: Vec<_> = self.audits().values().cloned().collect();
        audits.sort_by_key(|audit| {
            let time = audit.create_time.unwrap_or_default();
            (std::cmp::Reverse((time.seconds, time.nanos)), audit.id.clone())
        });
        audits
    }

    /// Wakes at every change of anything.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    fn audits(&self) -> MutexGuard<'_, BTreeMap<AuditId, Arc<v1::Audit>>> {
        // Nothing panics while it is held.
        self.0.audits.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_makes_a_revision() {
        let board = Board::new();
        let id = AuditId::try_new("a-1").unwrap();
        let mut changes = board.changes();
        let audit = |waiting: &str| v1::Audit { waiting_reason: waiting.into(), ..v1::Audit::default() };
        board.show(&id, audit("x"));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        board.show(&id, audit("x"));
        assert!(!changes.has_changed().unwrap());
        assert_eq!(board.get(&id).unwrap().revision, 1);
        board.show(&id, audit("y"));
        assert_eq!(board.get(&id).unwrap().revision, 2);
        board.remove(&id);
        assert!(board.get(&id).is_none() && board.list().is_empty());
    }
}
