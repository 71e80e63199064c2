//! What this worker holds and what it still has to say: the memory of a session, across all its streams.
//!
//! | a pack here | at work | ended, its report not acknowledged | acknowledged |
//! |---|---|---|---|
//! | holds its slot | yes | no | no |
//! | in hello | yes | yes | no |
//! | in heartbeats | yes | no | no |
//! | assigned again | nothing: it is known | the report again | nothing: it is late |
//! | revoked | told to stop | nothing: the report is on its way | nothing |

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use umbra_core::fault::Fault;
use umbra_core::ids::{Fence, Millis};
use umbra_proto::{convert, v1};

use super::lease::Lease;
use crate::faults;
use crate::slot::{Order, Orders, Progress, Reading};

/// How many acknowledged fences are remembered, so that a late word about one is not answered.
const REMEMBERED: usize = 1024;

/// How work on a pack ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    /// The logits are stored.
    Done(v1::PackResult),
    /// It failed.
    Failed(Fault),
    /// It was stopped; the checkpoint is stored.
    Released(Option<v1::Checkpoint>),
}

/// What to do with an assignment.
#[derive(Debug)]
pub(crate) enum Assigned {
    /// Begin.
    Start {
        /// Who tells it to stop.
        orders: Orders,
        /// Where it says how far it is.
        progress: Arc<Progress>,
    },
    /// Send this.
    Answer(Box<v1::Report>),
    /// Nothing.
    Known,
}

/// All packs of this worker.
#[derive(Debug)]
pub(crate) struct Ledger {
    slots: u32,
    leaving: bool,
    packs: BTreeMap<Fence, Entry>,
    acknowledged: VecDeque<Fence>,
}

#[derive(Debug)]
struct Entry {
    lease: Lease,
    slot: u32,
    progress: Arc<Progress>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    AtWork { orders: Orders, checkpoint: Option<v1::Checkpoint> },
    Ended { report: Box<v1::Report>, sent: Millis },
}

impl Ledger {
    /// An empty ledger of the slots `0..slots`.
    pub(crate) fn new(slots: u32) -> Self {
        Self { slots, leaving: false, packs: BTreeMap::new(), acknowledged: VecDeque::new() }
    }

    /// From now on every new pack is handed back untouched.
    pub(crate) fn leave(&mut self) {
        self.leaving = true;
    }

    /// Whether the worker is leaving.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Packs at work or not acknowledged.
    pub(crate) fn unfinished(&self) -> usize {
        self.packs.len()
    }

    /// Tells every pack at work.
    pub(crate) fn order_all(&self, order: Order) {
        for entry in self.packs.values() {
            if let Stage::AtWork { orders, .. } = &entry.stage {
                orders.raise(order);
            }
        }
    }

    /// Takes in an assignment.
    pub(crate) fn assign(&mut self, lease: Lease, slot: u32, now: Millis) -> Assigned {
        if self.acknowledged.contains(&lease.fence) {
            return Assigned::Known;
        }
        if let Some(entry) = self.packs.get_mut(&lease.fence) {
            return match &mut entry.stage {
                Stage::AtWork { .. } => Assigned::Known,
                Stage::Ended { report, sent } => {
                    *sent = now;
                    Assigned::Answer(report.clone())
                }
            };
        }
        let holder = self.packs.values().find(|entry| entry.slot == slot && entry.is_at_work());
        let refusal = if slot >= self.slots {
            Some(Ending::Failed(faults::bug(format!("slot {slot} does not exist: there are {}", self.slots))))
        } else if let Some(holder) = holder {
            Some(Ending::Failed(faults::bug(format!("slot {slot} is at work on pack {}", holder.lease))))
        } else {
            self.leaving.then_some(Ending::Released(None))
        };
        let (orders, progress, fence) = (Orders::new(), Arc::new(Progress::default()), lease.fence);
        let stage = Stage::AtWork { orders: orders.clone(), checkpoint: None };
        self.packs.insert(fence, Entry { lease, slot, progress: progress.clone(), stage });
        match refusal.and_then(|ending| self.ended(fence, ending, now)) {
            Some(report) => Assigned::Answer(Box::new(report)),
            None => Assigned::Start { orders, progress },
        }
    }

    /// Takes in a revocation; the report to send, if one is due at once.
    pub(crate) fn revoke(&mut self, lease: &Lease, reason: v1::RevokeReason) -> Option<v1::Report> {
        match self.packs.get(&lease.fence) {
            Some(Entry { stage: Stage::AtWork { orders, .. }, .. }) => {
                let order = match reason {
                    v1::RevokeReason::Draining | v1::RevokeReason::Moving => Order::HandBack,
                    v1::RevokeReason::Cancelled | v1::RevokeReason::Stale | v1::RevokeReason::Unspecified => {
                        Order::Drop
                    }
                };
                orders.raise(order);
                None
            }
            Some(Entry { stage: Stage::Ended { .. }, .. }) => None,
            None if self.acknowledged.contains(&lease.fence) => None,
            None => Some(lease.report(released(None))),
        }
    }

    /// The coordinator knows: the report is forgotten. True if it was awaited.
    pub(crate) fn acknowledge(&mut self, fence: Fence) -> bool {
        let ended = self.packs.get(&fence).is_some_and(|entry| !entry.is_at_work());
        if ended {
            self.packs.remove(&fence);
            if self.acknowledged.len() == REMEMBERED {
                self.acknowledged.pop_front();
            }
            self.acknowledged.push_back(fence);
        }
        ended
    }

    /// A checkpoint is stored; the message that says so.
    pub(crate) fn checkpointed(
        &mut self,
        fence: Fence,
        checkpoint: v1::Checkpoint,
    ) -> Option<v1::Checkpointed> {
        let entry = self.packs.get_mut(&fence)?;
        match &mut entry.stage {
            Stage::AtWork { checkpoint: latest, .. } => {
                *latest = Some(checkpoint);
                entry.checkpointed()
            }
            Stage::Ended { .. } => None,
        }
    }

    /// A pack ended: its slot is free. The report to send; it is repeated until acknowledged.
    pub(crate) fn ended(&mut self, fence: Fence, ending: Ending, now: Millis) -> Option<v1::Report> {
        let entry = self.packs.get_mut(&fence).filter(|entry| entry.is_at_work())?;
        let report = entry.lease.report(match ending {
            Ending::Done(result) => v1::report::Outcome::Done(result),
            Ending::Failed(fault) => v1::report::Outcome::Failed(convert::fault_to(&fault)),
            Ending::Released(checkpoint) => released(checkpoint),
        });
        entry.stage = Stage::Ended { report: Box::new(report.clone()), sent: now };
        Some(report)
    }

    /// Everything a new stream has to say first.
    pub(crate) fn hello(&self) -> Vec<v1::RunningPack> {
        self.packs.values().map(Entry::running).collect()
    }

    /// What runs now.
    pub(crate) fn heartbeat(&self) -> Vec<v1::RunningPack> {
        self.packs.values().filter(|entry| entry.is_at_work()).map(Entry::running).collect()
    }

    /// The latest checkpoint of every pack at work: a new stream repeats them, since they are never
    /// acknowledged.
    pub(crate) fn checkpoints(&self) -> Vec<v1::Checkpointed> {
        self.packs.values().filter_map(Entry::checkpointed).collect()
    }

    /// The reports that were last sent before `before`; they count as sent now.
    pub(crate) fn unacknowledged(&mut self, before: Millis, now: Millis) -> Vec<v1::Report> {
        let mut due = Vec::new();
        for entry in self.packs.values_mut() {
            if let Stage::Ended { report, sent } = &mut entry.stage
                && *sent < before
            {
                *sent = now;
                due.push((**report).clone());
            }
        }
        due
    }
}

impl Drop for Ledger {
    /// Nobody could report what would still be trained.
    fn drop(&mut self) {
        self.order_all(Order::Drop);
    }
}

impl Entry {
    fn is_at_work(&self) -> bool {
        matches!(self.stage, Stage::AtWork { .. })
    }

    fn running(&self) -> v1::RunningPack {
        let Reading { steps_done, shadows_done, samples } = self.progress.get();
        v1::RunningPack {
            audit_id: self.lease.pack.audit.to_string(),
            pack: self.lease.pack.pack.0,
            fence: self.lease.wire_fence(),
            slot: self.slot,
            steps_done,
            shadows_done,
            samples,
        }
    }

    fn checkpointed(&self) -> Option<v1::Checkpointed> {
        match &self.stage {
            Stage::AtWork { checkpoint: Some(checkpoint), .. } => Some(v1::Checkpointed {
                audit_id: self.lease.pack.audit.to_string(),
                pack: self.lease.pack.pack.0,
                fence: self.lease.wire_fence(),
                checkpoint: Some(checkpoint.clone()),
            }),
            _ => None,
        }
    }
}

fn released(checkpoint: Option<v1::Checkpoint>) -> v1::report::Outcome {
    v1::report::Outcome::Released(v1::Released { checkpoint })
}

#[cfg(test)]
mod tests;
