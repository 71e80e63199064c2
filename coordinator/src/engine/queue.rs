//! How long packs wait for a slot. Kept in memory only: after a restart the wait is that since.

use std::collections::HashMap;

use umbra_core::cluster::{Action, PackRecord, Record};
use umbra_core::ids::{AuditId, Millis, PackId, PackIndex};
use umbra_core::lifecycle::PackState;

use super::term::Term;

/// Since when packs wait.
#[derive(Debug, Default)]
pub struct Queue(HashMap<AuditId, Waiting>);

#[derive(Debug)]
struct Waiting {
    /// Since when those wait that were never assigned.
    untouched: Millis,
    /// Those that were given back or lost.
    again: HashMap<PackIndex, Millis>,
}

impl Queue {
    /// The packs of an audit begin to wait.
    pub fn add(&mut self, audit: &AuditId, now: Millis) {
        self.0.insert(audit.clone(), Waiting { untouched: now, again: HashMap::new() });
    }

    /// A pack waits again.
    pub fn waits(&mut self, pack: &PackId, now: Millis) {
        if let Some(waiting) = self.0.get_mut(&pack.audit) {
            waiting.again.entry(pack.pack).or_insert(now);
        }
    }

    /// A pack is assigned: the seconds it waited.
    pub fn assigned(&mut self, pack: &PackId, now: Millis) -> Option<f64> {
        let waiting = self.0.get_mut(&pack.audit)?;
        let since = waiting.again.remove(&pack.pack).unwrap_or(waiting.untouched);
        Some(now.0.saturating_sub(since.0) as f64 / 1000.0)
    }

    /// Forgets an audit that has ended.
    pub fn forget(&mut self, audit: &AuditId) {
        self.0.remove(audit);
    }
}

impl Term {
    /// Notes which packs wait from now on, before any of them is assigned.
    pub(super) fn note_waiting(&mut self, actions: &[Action]) {
        let now = self.shell.clock.now();
        for action in actions {
            if let Action::Put(Record::Pack(PackRecord { id, state: PackState::Waiting, .. })) = action {
                self.queue.waits(id, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_waits_since_its_submission_or_since_it_came_back() {
        let audit = AuditId::try_new("a-1").unwrap();
        let pack = |pack| PackId { audit: audit.clone(), pack: PackIndex(pack) };
        let mut queue = Queue::default();
        queue.add(&audit, Millis(1_000));
        assert_eq!(queue.assigned(&pack(0), Millis(3_500)), Some(2.5));
        queue.waits(&pack(0), Millis(10_000));
        // A record that is written again does not make the wait shorter.
        queue.waits(&pack(0), Millis(11_000));
        assert_eq!(queue.assigned(&pack(0), Millis(12_000)), Some(2.0));
        assert_eq!(queue.assigned(&pack(1), Millis(12_000)), Some(11.0));
        queue.forget(&audit);
        assert_eq!(queue.assigned(&pack(1), Millis(12_000)), None);
    }
}
