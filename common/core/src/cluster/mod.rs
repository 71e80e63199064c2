//! The scheduler, as a state machine: [`Cluster::step`]`(now, Event) -> Vec<Action>`.
//!
//! It decides; the shell around it acts. The shell owns the clock, the store and the connections, and
//! keeps four promises:
//!
//! 1. It gives one event at a time, with a time that does not run backwards.
//! 2. It commits all `Put` and `Delete` of a step in one transaction before it performs the step's other
//!    actions, in their order. If the transaction fails it drops the cluster, ends every worker's session
//!    and begins again with [`Cluster::restore`].
//! 3. It gives a [`Event::Tick`] at or after every [`Action::WakeAt`], and answers every
//!    [`Action::Ingest`] and [`Action::Finish`].
//! 4. It delivers to a worker, within a session, in order; a session that lost a message is ended. A
//!    worker names everything unfinished or unacknowledged when it joins.
//!
//! A pack's right to be reported is its **fence**. A fence is *live* from its assignment until it is
//! reported, released, runs out of its lease, or its audit ends; after that it is *stale* and changes
//! nothing any more, except that the slot it still occupies comes back when its worker says so. Lease
//! times are in memory only: a restored leader starts every lease afresh, so a leader younger than one
//! lease expires none.
//!
//! Records are derived from memory at the end of a step ([`out`]), so the store and the memory cannot
//! come to differ. Every piece of work that could need more than [`MAX_RECORDS`] records (a worker
//! with many slots dies, an audit with many packs is deleted) is queued and done over several steps.

mod action;
mod audit;
mod audits;
#[cfg(test)]
mod broken_states;
mod check;
mod class;
mod conduct;
mod config;
mod event;
mod leases;
mod out;
mod pace;
mod placement;
mod query;
mod queue;
mod record;
mod reports;
mod restore;
mod sessions;
mod size;
mod status;
mod stragglers;
mod timers;
mod worker;

use std::collections::{BTreeMap, BTreeSet};

pub use action::{Action, MAX_RECORDS, RevokeReason};
pub use check::Lasting;
pub use config::ClusterConfig;
pub use event::{Event, MAX_SLOTS, Outcome, Steps, StillRunning};
pub use record::{
    AuditDemand, AuditRecord, Checkpoint, ClusterRecord, Existing, KeptWeights, PackRecord, PackResult,
    Record, RecordKey,
};
pub use status::{
    AuditStatus, PackCounts, QuarantineStatus, RunningPack, SlotStatus, WaitingReason, WorkerStatus,
};

use crate::ids::{AuditId, Fence, Millis, PackId, WorkerId};
use audit::Audit;
use class::Class;
use conduct::Conduct;
use leases::{Lease, Loss};
use out::Out;
use timers::Timers;
use worker::{Session, Worker};

/// The scheduler's whole state.
#[derive(Debug, Clone)]
pub struct Cluster {
    config: ClusterConfig,
    /// The latest time given; it never runs backwards.
    now: Millis,
    record: ClusterRecord,
    audits: BTreeMap<AuditId, Audit>,
    /// Connected workers, and gone ones that still hold leases.
    workers: BTreeMap<WorkerId, Worker>,
    /// The live fences.
    leases: BTreeMap<Fence, Lease>,
    /// Leases that ended with their worker and whose packs' records do not say so yet.
    lost: BTreeMap<PackId, Loss>,
    /// Who could work, and who wants work, by numerics class.
    classes: BTreeMap<String, Class>,
    /// Workers that failed packs since they last succeeded.
    conducts: BTreeMap<WorkerId, Conduct>,
    timers: Timers,
    /// Audits with records to take over, sweep up or delete, a few at every tick.
    chores: BTreeSet<AuditId>,
}

impl Cluster {
    /// A cluster that never heard of anything.
    pub fn new(now: Millis, config: ClusterConfig) -> Self {
        Self {
            config,
            now,
            record: ClusterRecord::default(),
            audits: BTreeMap::new(),
            workers: BTreeMap::new(),
            leases: BTreeMap::new(),
            lost: BTreeMap::new(),
            classes: BTreeMap::new(),
            conducts: BTreeMap::new(),
            timers: Timers::default(),
            chores: BTreeSet::new(),
        }
    }

    /// Takes in one event and says what to do: records first, then the rest, in order.
    pub fn step(&mut self, now: Millis, event: Event) -> Vec<Action> {
        self.now = self.now.max(now);
        let is_tick = event == Event::Tick;
        let mut out = Out::default();
        self.apply(event, &mut out);
        self.expire();
        self.settle_losses(&mut out);
        if is_tick {
            self.do_chores(&mut out);
        }
        self.place(&mut out);
        self.wake(&mut out);
        out.into_actions(self)
    }

    fn apply(&mut self, event: Event, out: &mut Out) {
        match event {
            Event::AuditSubmitted { audit, demand, existing } => self.submit(audit, demand, existing, out),
            Event::CancelAsked { audit } => self.cancel(&audit, out),
            Event::DeleteAsked { audit } => self.delete(&audit, out),
            Event::WorkerJoined { worker, slots, numerics, running, lost, memory } => {
                self.join(worker, Session { slots, numerics, lost, memory }, running, out);
            }
            Event::SlotsLost { worker, slots } => self.slots_lost(&worker, &slots),
            Event::WorkerGone { worker } => self.gone(&worker),
            Event::WorkerLeft { worker } => self.left(&worker),
            Event::DrainAsked { worker } => self.drain(&worker, out),
            Event::Progress { worker, pack, fence, steps, checkpoint } => {
                self.progress(&worker, &pack, fence, (steps, checkpoint), out);
            }
            Event::Reported { worker, pack, fence, outcome } => {
                self.reported(&worker, &pack, fence, outcome, out);
            }
            Event::Ingested { pack, fence, outcome } => self.ingested(&pack, fence, outcome, out),
            Event::Analysed { audit, outcome } => self.analysed(&audit, outcome, out),
            Event::Tick => {}
        }
    }

    /// Asks for the next tick, if a sooner one is needed than was asked for.
    fn wake(&mut self, out: &mut Out) {
        if let Some(at) = self.timers.announce(self.now, self.has_work()) {
            out.act(Action::WakeAt(at));
        }
    }

    /// Whether something could go on right now, but for the bound on a step's records.
    fn has_work(&self) -> bool {
        !self.chores.is_empty() || !self.lost.is_empty() || self.choose().is_some()
    }
}
