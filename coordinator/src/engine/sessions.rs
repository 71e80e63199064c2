//! The sessions of workers, seen from the engine: who is connected and where to answer.

use std::collections::HashMap;

use tokio::sync::mpsc;
use umbra_core::ids::WorkerId;
use umbra_proto::v1::{ConnectResponse, connect_response::Message};

/// The sessions that are open.
#[derive(Default)]
pub struct Sessions(HashMap<WorkerId, Session>);

struct Session {
    number: u64,
    out: mpsc::Sender<ConnectResponse>,
}

impl Sessions {
    /// Opens a session; it replaces one of the same worker, whose stream ends.
    pub fn open(&mut self, worker: WorkerId, number: u64, out: mpsc::Sender<ConnectResponse>) {
        self.0.insert(worker, Session { number, out });
    }

    /// Whether this is the worker's session now.
    pub fn is_current(&self, worker: &WorkerId, number: u64) -> bool {
        self.0.get(worker).is_some_and(|session| session.number == number)
    }

    /// Ends a session.
    pub fn close(&mut self, worker: &WorkerId) {
        self.0.remove(worker);
    }

    /// Sends to a worker without waiting. One that is not connected hears it when it says hello again;
    /// one whose buffer is full is cut off, so that it says hello again.
    pub fn send(&mut self, worker: &WorkerId, message: Message) {
        let Some(session) = self.0.get(worker) else { return };
        let full = session.out.try_send(ConnectResponse { message: Some(message) }).is_err();
        if full {
            tracing::warn!(%worker, "cut off a worker that does not read");
            self.0.remove(worker);
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}
