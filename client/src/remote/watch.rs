//! Following an audit to its end, across broken streams.

use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;
use umbra_proto::v1;
use umbra_runtime::Backoff;
use umbra_runtime::backoff;

use super::{Remote, fault};
use crate::exit::Failure;

/// How long a coordinator may be away before watching gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether an audit has ended.
pub fn has_ended(state: v1::AuditState) -> bool {
    use v1::AuditState::{Cancelled, Failed, Succeeded};
    matches!(state, Succeeded | Failed | Cancelled)
}

/// Who is told how an audit goes.
pub trait Watcher {
    /// The audit has changed.
    ///
    /// # Errors
    /// If that cannot be shown, which ends the watching.
    fn show(&mut self, audit: &v1::Audit) -> Result<(), Failure>;

    /// The stream broke and is taken up again.
    fn lost(&mut self, why: &Failure);
}

/// Follows an audit and shows it at every change; answers with the audit as it ended. A stream that
/// breaks is taken up again.
///
/// # Errors
/// If there is no such audit, or the coordinator stays away for two minutes.
pub async fn follow(remote: &Remote, id: &str, watcher: &mut impl Watcher) -> Result<v1::Audit, Failure> {
    let jitter = backoff::entropy().map_err(|error| Failure::failed(format!("cannot wait: {error}")))?;
    let mut waits = Backoff::try_new(Duration::from_millis(200), Duration::from_secs(5))
        .expect("the bounds are in order")
        .start(jitter);
    let mut seen: Option<v1::Audit> = None;
    let mut heard = Instant::now();
    // A break is told once, however many attempts it takes to get over it.
    let mut lost = false;
    loop {
        let last = heard;
        let broken = match stream(remote, id, &mut seen, &mut heard, watcher).await {
            Ok(Some(ended)) => return Ok(ended),
            Ok(None) => Status::unavailable("the stream ended"),
            Err(Broken::Status(status)) => status,
            Err(Broken::Show(failure)) => return Err(failure),
        };
        if heard > last {
            lost = false;
            waits.reset();
        }
        let failure = remote.failure(&broken);
        if !fault::is_lost(&broken) || heard.elapsed() > PATIENCE {
            return Err(failure);
        }
        let is_first = !std::mem::replace(&mut lost, true);
        if is_first {
            watcher.lost(&failure);
        }
        tokio::time::sleep(waits.after_failure()).await;
    }
}

enum Broken {
    Status(Status),
    Show(Failure),
}

async fn stream(
    remote: &Remote,
    id: &str,
    seen: &mut Option<v1::Audit>,
    heard: &mut Instant,
    watcher: &mut impl Watcher,
) -> Result<Option<v1::Audit>, Broken> {
    // A coordinator that was restarted counts revisions from the start, so a stream that is taken up
    // again asks for the audit as it is now, and what was shown already is not shown again.
    let request = v1::WatchAuditRequest { id: id.to_owned(), after_revision: 0 };
    let answer = remote.audits().watch_audit(request).await.map_err(Broken::Status)?;
    let mut audits = answer.into_inner();
    while let Some(answer) = audits.message().await.map_err(Broken::Status)? {
        *heard = Instant::now();
        let audit = remote.given(answer.audit).map_err(Broken::Show)?;
        if seen.as_ref() != Some(&audit) {
            watcher.show(&audit).map_err(Broken::Show)?;
        }
        if has_ended(audit.state()) {
            return Ok(Some(audit));
        }
        *seen = Some(audit);
    }
    Ok(None)
}
