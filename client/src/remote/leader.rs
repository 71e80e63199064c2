//! Finding the coordinator that leads: at the start, and again while calls are made.

use std::error::Error as _;
use std::time::Duration;

use tokio::time::Instant;
use tonic::{Code, Response, Status};
use umbra_proto::error::Reason;
use umbra_proto::v1;

use super::{Remote, fault};
use crate::exit::{Exit, Failure};

/// How long it may be that no coordinator leads.
const PATIENCE: Duration = Duration::from_secs(20);

/// The wait between two rounds of asking.
const PAUSE: Duration = Duration::from_millis(200);

/// How long one coordinator may take to say what it is.
const ANSWER: Duration = Duration::from_secs(5);

/// What one coordinator said of itself.
enum Said {
    /// It leads.
    Leads,
    /// It does not lead, or not yet.
    Waits,
    /// Nothing.
    Nothing(Status),
}

/// Turns to the coordinator that leads, asking one after the other.
///
/// # Errors
/// If none answers, or none leads for a while.
pub(super) async fn find(remote: &Remote) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let mut heard = false;
        let mut lost = None;
        // Each of them, and one that another names.
        for _ in 0..=remote.servers.configured() {
            match ask_one(remote).await {
                Said::Leads => return Ok(()),
                Said::Waits => heard = true,
                Said::Nothing(status) => lost = Some(status),
            }
        }
        if let Some(status) = lost.filter(|_| !heard) {
            return Err(cannot_reach(remote, &status));
        }
        if begun.elapsed() > PATIENCE {
            return Err(nobody_leads(remote));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ask_one(remote: &Remote) -> Said {
    let mut cluster = remote.cluster();
    let asked = cluster.get_cluster(v1::GetClusterRequest {});
    let answer = tokio::time::timeout(ANSWER, asked).await;
    let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
    let cluster = match answer.map(Response::into_inner) {
        Ok(answer) => answer.cluster.unwrap_or_default(),
        Err(status) if !fault::is_lost(&status) => {
            // One of a release before this call leads alone; what else is wrong the next call will say.
            tracing::debug!(code = ?status.code(), "a coordinator does not say what it is");
            return Said::Leads;
        }
        Err(status) if Reason::of(&status).is_some() => return Said::Waits,
        Err(status) => return Said::Nothing(status),
    };
    match cluster.standing() {
        v1::Standing::Leading => return Said::Leads,
        v1::Standing::Following if remote.servers.turn_to(&cluster.leader) => {}
        _ => remote.servers.turn_to_next(),
    }
    Said::Waits
}

fn cannot_reach(remote: &Remote, status: &Status) -> Failure {
    let causes = fault::causes(status.source().unwrap_or(status));
    let message = format!(
        "cannot reach a coordinator at {}: {causes}; start `umbra coordinator` there, or name another with --server",
        remote.server
    );
    Failure::new(Exit::Unreachable, message)
}

fn nobody_leads(remote: &Remote) -> Failure {
    let message = format!(
        "no coordinator at {} leads: see that one of them reaches the meta store (`umbra cluster status`)",
        remote.server
    );
    Failure::new(Exit::Unreachable, message)
}

impl Remote {
    /// Makes a call that may be made twice, again where the coordinator does not lead (any more).
    ///
    /// # Errors
    /// The status of the last attempt.
    pub async fn call<T>(
        &self,
        mut call: impl AsyncFnMut() -> Result<Response<T>, Status>,
    ) -> Result<T, Status> {
        let begun = Instant::now();
        loop {
            let status = match call().await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            let moves = Reason::of(&status) == Some(Reason::NotLeader)
                || (self.servers.configured() > 1 && fault::is_lost(&status));
            if !moves || status.code() == Code::DeadlineExceeded || begun.elapsed() > PATIENCE {
                return Err(status);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
