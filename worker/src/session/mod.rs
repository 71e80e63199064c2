//! The session with the coordinator: what comes in is put into the [`ledger`], what the slots say goes
//! out, and all of it survives the breaking of any stream.

mod lease;
mod ledger;
mod link;

pub(crate) use lease::Lease;
pub(crate) use ledger::Ending;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ledger::{Assigned, Ledger};
use link::{Link, LinkEvent};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, Sleep};
use tonic::{Code, Status};
use umbra_core::ids::{Fence, Millis};
use umbra_proto::error::Reason;
use umbra_proto::v1::{self, connect_request, connect_response};
use umbra_proto::{PROTOCOL, v1::RevokeReason};
use umbra_runtime::{Clock, Drain};

use crate::blobs;
use crate::config::Config;
use crate::connector::Client;
use crate::error::{Outcome, WorkError};
use crate::slot::{Crew, Note, Order};

/// Bounds of a lease that a welcome may name.
const LEASE_MS: std::ops::RangeInclusive<u32> = 30..=86_400_000;
/// The longest time between heartbeats: whoever watches wants to see progress.
const LONGEST_BEAT: Duration = Duration::from_secs(2);
/// How long a goodbye may take, and how long slots may take to stop.
const PARTING: Duration = Duration::from_secs(5);

/// A worker's side of the session.
pub(crate) struct Session {
    config: Config,
    /// The id of the store that blobs go to, if they do not go through the coordinator; else empty.
    store_id: String,
    clock: Arc<dyn Clock>,
    drain: Drain,
    crew: Crew,
    notes: mpsc::UnboundedReceiver<Note>,
    ledger: Ledger,
    link: Link,
    lease_ms: u64,
    heartbeat: Option<Interval>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Session {
    /// A session that is about to begin.
    pub(crate) fn new(
        config: Config,
        store_id: String,
        client: Client,
        clock: Arc<dyn Clock>,
        drain: Drain,
        crew: Crew,
        notes: mpsc::UnboundedReceiver<Note>,
    ) -> Self {
        let link = Link::new(client, blobs::waits(config.jitter().clone()));
        let ledger = Ledger::new(config.slots());
        Self {
            config,
            store_id,
            clock,
            drain,
            crew,
            notes,
            ledger,
            link,
            lease_ms: 0,
            heartbeat: None,
            deadline: None,
        }
    }

    /// Works until the drain is through or the coordinator refuses this worker; then stops all slots.
    pub(crate) async fn run(mut self) -> Result<Outcome, WorkError> {
        let ended = self.converse().await;
        self.ledger.order_all(Order::Drop);
        // The channel ends when every pack's task has.
        let Self { crew, mut notes, .. } = self;
        let stopped = async {
            crew.stop().await;
            while notes.recv().await.is_some() {}
        };
        if tokio::time::timeout(PARTING, stopped).await.is_err() {
            tracing::warn!("stop waiting for slots that do not stop");
        }
        ended
    }

    async fn converse(&mut self) -> Result<Outcome, WorkError> {
        loop {
            if self.ledger.is_leaving() && self.ledger.unfinished() == 0 {
                self.say_goodbye().await;
                return Ok(Outcome::Left);
            }
            // A device comes back to a new process, if at all: whoever watches over this one starts another.
            if let Some(reason) = self.crew.devices().all_lost().filter(|_| self.ledger.unfinished() == 0) {
                self.say_goodbye().await;
                return Err(WorkError::DevicesLost(reason));
            }
            tokio::select! {
                biased;
                () = self.drain.begun(), if !self.ledger.is_leaving() => self.leave(),
                () = at(&mut self.deadline) => {
                    return Ok(Outcome::GaveUp { unfinished: self.ledger.unfinished() });
                }
                () = beat(&mut self.heartbeat) => self.say_alive(),
                Some(note) = self.notes.recv() => self.take_note(note),
                () = self.crew.devices().changed() => self.tell_losses(),
                event = self.link.next() => self.take_event(event)?,
            }
        }
    }

    fn take_event(&mut self, event: LinkEvent) -> Result<(), WorkError> {
        match event {
            LinkEvent::Due => self.link.open(self.hello()),
            LinkEvent::Up(welcome) => self.begin_stream(&welcome),
            LinkEvent::Message(message) => self.take_message(*message),
            LinkEvent::Down(status, wait) => {
                self.heartbeat = None;
                if let Some(error) = refusal(&status) {
                    return Err(error);
                }
                tracing::warn!(error = blobs::explain(&status), ?wait, "lost the coordinator, connect again");
            }
        }
        Ok(())
    }

    fn hello(&self) -> v1::Hello {
        self.crew.read_gauges();
        v1::Hello {
            worker_id: self.config.worker().to_string(),
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            slots: self.config.slots(),
            numerics: self.crew.numerics().to_vec(),
            running: self.ledger.hello(),
            host: self.config.host().to_owned(),
            devices: self.crew.devices().wire(),
            store_id: self.store_id.clone(),
        }
    }

    fn begin_stream(&mut self, welcome: &v1::Welcome) {
        let lease = welcome.lease_milliseconds.clamp(*LEASE_MS.start(), *LEASE_MS.end());
        tracing::info!(coordinator = welcome.version, lease_ms = lease, "joined the coordinator");
        self.lease_ms = lease.into();
        let beat = Duration::from_millis(u64::from(lease) / 3).min(LONGEST_BEAT);
        let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + beat, beat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.heartbeat = Some(heartbeat);
        self.tell_losses();
        if self.ledger.is_leaving() {
            self.say(connect_request::Message::Draining(v1::Draining {}));
        }
        for checkpoint in self.ledger.checkpoints() {
            self.say(connect_request::Message::Checkpointed(checkpoint));
        }
        self.repeat_reports(Millis(u64::MAX));
    }

    fn take_message(&mut self, message: connect_response::Message) {
        let taken = match message {
            connect_response::Message::Welcome(_) => Err("a second welcome".to_owned()),
            connect_response::Message::Assign(assign) => self.take_assign(assign),
            connect_response::Message::Revoke(revoke) => self.take_revoke(&revoke),
            connect_response::Message::Drain(_) => {
                tracing::info!("the coordinator wants this worker to leave");
                self.drain.begin();
                Ok(())
            }
            connect_response::Message::Acknowledge(known) => {
                Lease::try_from_wire(&known.audit_id, known.pack, known.fence).map(|lease| {
                    if self.ledger.acknowledge(lease.fence) {
                        tracing::debug!(%lease, "the report is acknowledged");
                    }
                })
            }
        };
        if let Err(reason) = taken {
            // The two sides do not understand each other: a new stream makes that clear, or better.
            self.give_up_stream(format!("the coordinator sent a message that makes no sense: {reason}"));
        }
    }

    fn take_assign(&mut self, assign: v1::Assign) -> Result<(), String> {
        let lease = Lease::try_from_wire(&assign.audit_id, assign.pack, assign.fence)?;
        match self.ledger.assign(lease.clone(), assign.slot, self.clock.now()) {
            Assigned::Start { orders, progress } => {
                tracing::info!(%lease, slot = assign.slot, "begin a pack");
                self.crew.begin(lease, assign, orders, progress);
            }
            Assigned::Answer(report) => self.say(connect_request::Message::Report(*report)),
            Assigned::Known => {}
        }
        Ok(())
    }

    fn take_revoke(&mut self, revoke: &v1::Revoke) -> Result<(), String> {
        let lease = Lease::try_from_wire(&revoke.audit_id, revoke.pack, revoke.fence)?;
        let reason = match revoke.reason() {
            RevokeReason::Unspecified => return Err("a revocation without a reason".to_owned()),
            reason => reason,
        };
        tracing::info!(%lease, reason = reason.as_str_name(), "a pack is revoked");
        if let Some(report) = self.ledger.revoke(&lease, reason) {
            self.say(connect_request::Message::Report(report));
        }
        Ok(())
    }

    fn take_note(&mut self, note: Note) {
        match note {
            Note::Checkpointed { fence, checkpoint } => {
                if let Some(message) = self.ledger.checkpointed(fence, checkpoint) {
                    self.say(connect_request::Message::Checkpointed(message));
                }
            }
            Note::Ended { fence, ending } => self.end(fence, ending),
        }
    }

    fn end(&mut self, fence: Fence, ending: Ending) {
        // Whoever hears that a slot is free must know already that it is lost.
        self.tell_losses();
        if let Some(report) = self.ledger.ended(fence, ending, self.clock.now()) {
            self.say(connect_request::Message::Report(report));
        }
    }

    fn say_alive(&mut self) {
        self.link.steady();
        self.say_what_runs();
        let now = self.clock.now();
        self.repeat_reports(Millis(now.0.saturating_sub(self.lease_ms)));
    }

    fn say_what_runs(&mut self) {
        self.crew.read_gauges();
        let (running, devices) = (self.ledger.heartbeat(), self.crew.devices().wire());
        self.say(connect_request::Message::Heartbeat(v1::Heartbeat { running, devices }));
    }

    /// Tells of slots that were lost, without waiting for the next heartbeat; without a stream, once there is
    /// one, since its hello may be older than the loss.
    fn tell_losses(&mut self) {
        if self.link.is_up() && self.crew.devices().take_untold() {
            self.say_what_runs();
        }
    }

    fn repeat_reports(&mut self, before: Millis) {
        for report in self.ledger.unacknowledged(before, self.clock.now()) {
            self.say(connect_request::Message::Report(report));
        }
    }

    fn leave(&mut self) {
        let packs = self.ledger.unfinished();
        tracing::info!(packs, grace = ?self.config.grace(), "drain: hand back what runs");
        self.ledger.leave();
        self.deadline = Some(Box::pin(tokio::time::sleep(self.config.grace())));
        self.say(connect_request::Message::Draining(v1::Draining {}));
    }

    async fn say_goodbye(&mut self) {
        if self.link.is_up() {
            self.say(connect_request::Message::Bye(v1::Bye {}));
            if tokio::time::timeout(PARTING, self.link.finish()).await.is_err() {
                tracing::warn!("the coordinator did not end the session after the goodbye");
            }
        }
    }

    fn say(&mut self, message: connect_request::Message) {
        if !self.link.send(message) {
            self.give_up_stream("the coordinator does not read what this worker says".to_owned());
        }
    }

    fn give_up_stream(&mut self, reason: String) {
        if let LinkEvent::Down(status, wait) = self.link.close(Status::internal(reason)) {
            self.heartbeat = None;
            tracing::warn!(error = status.message(), ?wait, "give the stream up, connect again");
        }
    }
}

/// The error that ends the worker, if connecting again would not help.
fn refusal(status: &Status) -> Option<WorkError> {
    let message = status.message().to_owned();
    match (Reason::of(status), status.code()) {
        (Some(Reason::VersionSkew), _) => Some(WorkError::VersionSkew(message)),
        (Some(Reason::Unauthenticated), _) | (None, Code::Unauthenticated | Code::PermissionDenied) => {
            Some(WorkError::Unauthenticated(message))
        }
        (Some(Reason::InvalidArgument), _) => Some(WorkError::Refused(message)),
        _ => None,
    }
}

async fn at(deadline: &mut Option<Pin<Box<Sleep>>>) {
    match deadline {
        Some(deadline) => deadline.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn beat(heartbeat: &mut Option<Interval>) {
    match heartbeat {
        Some(heartbeat) => {
            heartbeat.tick().await;
        }
        None => std::future::pending().await,
    }
}
