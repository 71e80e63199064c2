//! The sessions of workers, seen from the engine: who is connected and where to answer.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use tokio::sync::{mpsc, oneshot};
use umbra_core::ids::WorkerId;
use umbra_proto::v1::{ConnectResponse, connect_response::Message};

use super::member::Member;

/// Where a session is answered. Dropping it ends the session: its stream ends once what waits is sent, and
/// nothing more is heard from it.
pub struct Outbox {
    queue: mpsc::Sender<ConnectResponse>,
    _open: oneshot::Sender<()>,
}

impl Outbox {
    /// An outbox in which so many messages may wait, what it sends, and what resolves when it is dropped.
    pub fn new(waiting: usize) -> (Self, mpsc::Receiver<ConnectResponse>, oneshot::Receiver<()>) {
        let (queue, messages) = mpsc::channel(waiting);
        let (open, closed) = oneshot::channel();
        (Self { queue, _open: open }, messages, closed)
    }
}

/// The sessions that are open.
#[derive(Default)]
pub struct Sessions {
    open: BTreeMap<WorkerId, Session>,
    /// Workers that lost a message, and with it their session; the scheduler does not know yet.
    cut_off: VecDeque<WorkerId>,
}

struct Session {
    number: u64,
    outbox: Outbox,
    member: Member,
}

impl Sessions {
    /// Opens a session; it replaces one of the same worker, whose stream ends.
    pub fn open(&mut self, worker: WorkerId, number: u64, outbox: Outbox, member: Member) {
        // What the session before lost, the hello of this one makes good.
        self.cut_off.retain(|other| *other != worker);
        self.open.insert(worker, Session { number, outbox, member });
    }

    /// Whether this is the worker's session now.
    pub fn is_current(&self, worker: &WorkerId, number: u64) -> bool {
        self.open.get(worker).is_some_and(|session| session.number == number)
    }

    /// What a connected worker said of itself.
    pub fn member(&mut self, worker: &WorkerId) -> Option<&mut Member> {
        self.open.get_mut(worker).map(|session| &mut session.member)
    }

    /// What connected workers said of themselves, by id from a bound on.
    pub fn members(&self, from: Bound<&WorkerId>) -> impl Iterator<Item = (&WorkerId, &Member)> {
        let open = self.open.range((from, Bound::Unbounded));
        open.map(|(worker, session)| (worker, &session.member))
    }

    /// Ends a session.
    pub fn close(&mut self, worker: &WorkerId) {
        self.open.remove(worker);
    }

    /// Sends to a worker without waiting. One that is not connected hears it when it says hello again;
    /// one that is gone or whose buffer is full is cut off, so that it says hello again.
    pub fn send(&mut self, worker: &WorkerId, message: Message) {
        let Some(session) = self.open.get(worker) else { return };
        if session.outbox.queue.try_send(ConnectResponse { message: Some(message) }).is_err() {
            tracing::warn!(%worker, "cut off a worker that does not read");
            self.open.remove(worker);
            self.cut_off.push_back(worker.clone());
        }
    }

    /// The next worker that was cut off and of which the scheduler is to be told.
    pub fn next_cut_off(&mut self) -> Option<WorkerId> {
        self.cut_off.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use umbra_proto::v1::Welcome;

    use super::*;

    #[test]
    fn a_session_that_loses_a_message_ends_and_is_told_of() {
        let worker = WorkerId::try_new("w").unwrap();
        let mut sessions = Sessions::default();
        let (outbox, mut messages, mut closed) = Outbox::new(1);
        sessions.open(worker.clone(), 1, outbox, Member::default());
        for _ in 0..3 {
            sessions.send(&worker, Message::Welcome(Welcome::default()));
        }
        assert!(!sessions.is_current(&worker, 1));
        assert_eq!((sessions.next_cut_off(), sessions.next_cut_off()), (Some(worker.clone()), None));
        assert!(closed.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
        assert!(messages.try_recv().is_ok(), "what was sent before still arrives");
        assert_eq!(messages.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));

        let (outbox, _messages, _closed) = Outbox::new(1);
        sessions.open(worker.clone(), 2, outbox, Member::default());
        let (outbox, _messages, _closed) = Outbox::new(1);
        sessions.open(worker.clone(), 3, outbox, Member::default());
        assert!(!sessions.is_current(&worker, 2) && sessions.is_current(&worker, 3));
        assert_eq!((sessions.members(Bound::Unbounded).count(), sessions.next_cut_off()), (1, None));
    }
}
