//! Connected workers: what is heard of their devices, and how clients see them.

use std::ops::Bound;

use prost::Message as _;
use umbra_core::cluster::{Event, SlotStatus, WorkerStatus};
use umbra_core::ids::WorkerId;
use umbra_proto::v1;

use super::member::Member;
use super::term::{Term, TermEnd};
use crate::time::timestamp;

/// Bytes of workers from which on a page is full: far below what a message may have, whoever comes last.
const PAGE: usize = 2 << 20;

/// A page of connected workers, by id.
#[derive(Debug, Default)]
pub struct WorkersPage {
    /// The workers.
    pub workers: Vec<v1::Worker>,
    /// Whether there are more behind them.
    pub more: bool,
}

impl Term {
    /// Takes in what a worker tells of its devices; a slot that it has lost since is taken out.
    pub(super) async fn hear_devices(
        &mut self,
        worker: &WorkerId,
        told: &[v1::SlotDevice],
    ) -> Result<(), TermEnd> {
        let Some(member) = self.sessions.member(worker) else { return Ok(()) };
        let lost = match member.hear(told) {
            Ok(lost) => lost,
            Err(error) => return self.cut_off(worker, &error).await,
        };
        self.note_devices(worker);
        if lost.is_empty() {
            return Ok(());
        }
        self.step(Event::SlotsLost { worker: worker.clone(), slots: lost }).await
    }

    /// Measures the devices of a worker, and logs those of its slots that are lost, once.
    pub(super) fn note_devices(&mut self, worker: &WorkerId) {
        let Some(member) = self.sessions.member(worker) else { return };
        for (slot, device) in member.devices() {
            measure(worker, slot, device);
            if !device.lost.is_empty() && self.warned.is_news(worker, slot) {
                tracing::warn!(%worker, slot, device = device.name, reason = device.lost, "worker lost a slot");
            }
        }
    }

    /// Has a worker leave: it gets no more packs, and is told to hand back what it has and to end.
    pub(super) async fn drain_worker(&mut self, worker: WorkerId) -> Result<Option<v1::Worker>, TermEnd> {
        if self.sessions.member(&worker).is_none() {
            return Ok(None);
        }
        tracing::info!(%worker, "drain worker");
        self.sessions.send(&worker, v1::connect_response::Message::Drain(v1::Drain {}));
        self.step(Event::DrainAsked { worker: worker.clone() }).await?;
        let member = self.sessions.members(Bound::Included(&worker)).next().filter(|(id, _)| **id == worker);
        Ok(member
            .map(|(id, member)| view(id, member, self.cluster.worker(id).as_ref(), self.cluster.slots(id))))
    }

    /// The page of connected workers after the one of this id: at most so many, and not many slots.
    pub(super) fn workers(&mut self, after: Option<&WorkerId>, most: usize) -> WorkersPage {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = WorkersPage::default();
        let mut bytes = 0;
        for (id, member) in self.sessions.members(start) {
            if page.workers.len() == most || bytes >= PAGE {
                page.more = true;
                break;
            }
            let worker = view(id, member, self.cluster.worker(id).as_ref(), self.cluster.slots(id));
            bytes += worker.encoded_len();
            page.workers.push(worker);
        }
        page
    }
}

fn view(id: &WorkerId, member: &Member, status: Option<&WorkerStatus>, slots: Vec<SlotStatus>) -> v1::Worker {
    let quarantine = status.and_then(|status| status.quarantine.as_ref());
    let seconds = quarantine.map_or(0, |quarantine| quarantine.wait_ms.div_ceil(1000).max(1));
    let slot = |(slot, status): (u32, SlotStatus)| {
        let state = match &status {
            SlotStatus { lost: true, .. } => v1::SlotState::Lost,
            SlotStatus { pack: Some(_), .. } => v1::SlotState::Busy,
            SlotStatus { pack: None, .. } => v1::SlotState::Free,
        };
        let held = status.pack.map(|pack| (pack.audit.to_string(), pack.pack.0));
        let (audit_id, pack) = held.unwrap_or_default();
        v1::WorkerSlot { slot, state: state.into(), audit_id, pack, device: member.device(slot).cloned() }
    };
    v1::Worker {
        id: id.to_string(),
        host: member.host.clone(),
        version: member.version.clone(),
        connect_time: Some(timestamp(member.since)),
        draining: status.is_some_and(|status| status.draining),
        slots: (0..).zip(slots).map(slot).collect(),
        quarantine_seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
        quarantine_reason: quarantine.map(|quarantine| quarantine.fault.message.clone()).unwrap_or_default(),
    }
}

/// Sets the gauges of a device that tells of itself. They are dropped a while after the worker has gone,
/// since nobody sets them any more.
fn measure(worker: &WorkerId, slot: u32, device: &v1::SlotDevice) {
    let set = |name: &'static str, value: f64| {
        let labels =
            [("worker", worker.to_string()), ("slot", slot.to_string()), ("device", device.name.clone())];
        metrics::gauge!(name, &labels).set(value);
    };
    if device.memory_bytes > 0 {
        set("umbra_slot_memory_bytes", device.memory_bytes as f64);
        set("umbra_slot_memory_free_bytes", device.memory_free_bytes as f64);
    }
    if let Some(share) = device.utilisation {
        set("umbra_slot_utilisation_ratio", share);
    }
}

#[cfg(test)]
mod tests {
    use umbra_core::cluster::QuarantineStatus;
    use umbra_core::fault::{Domain, Fault, Retry};
    use umbra_core::ids::{AuditId, PackId, PackIndex};

    use super::*;

    #[test]
    fn a_slot_is_shown_as_what_matters_most() {
        let device =
            |lost: &str| v1::SlotDevice { name: "cpu".into(), lost: lost.into(), ..Default::default() };
        let devices = vec![device(""), device(""), device("gone"), device("gone")];
        let hello = v1::Hello { slots: 4, host: "here".into(), devices, ..v1::Hello::default() };
        let member = Member::try_new(&hello, 61_000).unwrap();
        let pack = PackId { audit: AuditId::try_new("a-1").unwrap(), pack: PackIndex(3) };
        let slots = [(false, false), (true, false), (false, true), (true, true)]
            .map(|(held, lost)| SlotStatus { pack: held.then(|| pack.clone()), lost });
        let id = WorkerId::try_new("w").unwrap();
        let fault = Fault::new(Domain::Worker, Retry::Elsewhere, "the disk is full");
        let status = WorkerStatus {
            id: id.clone(),
            connected: true,
            draining: true,
            slots: 4,
            busy: 2,
            lost: 2,
            quarantine: Some(QuarantineStatus { wait_ms: 59_001, fault }),
            numerics: vec![],
        };
        let worker = view(&id, &member, Some(&status), slots.to_vec());
        assert_eq!((worker.quarantine_seconds, worker.quarantine_reason.as_str()), (60, "the disk is full"));
        assert_eq!((worker.id.as_str(), worker.host.as_str(), worker.draining), ("w", "here", true));
        assert_eq!(worker.connect_time.unwrap().seconds, 61);
        let shown: Vec<_> =
            worker.slots.iter().map(|s| (s.slot, s.state(), s.audit_id.as_str(), s.pack)).collect();
        use v1::SlotState::{Busy, Free, Lost};
        assert_eq!(shown, [(0, Free, "", 0), (1, Busy, "a-1", 3), (2, Lost, "", 0), (3, Lost, "a-1", 3)]);
        assert_eq!(worker.slots[2].device.as_ref().unwrap().lost, "gone");
    }
}
