//! Work that waits for a store to come back.

use std::fmt;
use std::time::Duration;

use umbra_core::fault::Fault;
use umbra_runtime::drain::Drain;

/// Waits double from a second up to this one: they add up to about four minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(128);

/// Does `work` until it succeeds, fails with a fault that will not pass by itself, or the waits between its
/// failures are used up. `None` once the drain begins: the next leader begins again.
pub async fn patiently<T, F>(
    drain: &Drain,
    name: impl fmt::Display,
    may_pass: impl Fn(&Fault) -> bool,
    mut work: impl FnMut() -> F,
) -> Option<Result<T, Fault>>
where
    F: Future<Output = Result<T, Fault>>,
{
    let mut wait = Duration::from_secs(1);
    loop {
        let worked = tokio::select! {
            biased;
            () = drain.begun() => return None,
            worked = work() => worked,
        };
        match worked {
            Err(fault) if may_pass(&fault) && wait <= LONGEST_WAIT => {
                tracing::warn!(%name, %fault, wait_s = wait.as_secs(), "wait to try again");
                tokio::select! {
                    biased;
                    () = drain.begun() => return None,
                    () = tokio::time::sleep(wait) => {}
                }
                wait *= 2;
            }
            outcome => return Some(outcome),
        }
    }
}

#[cfg(test)]
mod tests {
    use umbra_core::fault::{Domain, Retry};

    use super::*;

    #[tokio::test]
    async fn only_what_may_pass_is_waited_for_and_a_drain_ends_the_waiting() {
        let drain = Drain::new();
        let attempts = |retry: Retry, good: u32| {
            let drain = drain.clone();
            async move {
                let mut count = 0;
                let work = || {
                    count += 1;
                    // Nobody waits a second for this.
                    if retry == Retry::Backoff {
                        drain.begin();
                    }
                    let fault = Fault::new(Domain::Store, retry, "away");
                    std::future::ready(if count == good { Ok(()) } else { Err(fault) })
                };
                let passes = |fault: &Fault| fault.retry == Retry::Backoff;
                let outcome = patiently(&drain, "test", passes, work).await;
                (count, outcome.map(|outcome| outcome.is_ok()))
            }
        };
        assert_eq!(attempts(Retry::Never, 1).await, (1, Some(true)));
        assert_eq!(attempts(Retry::Elsewhere, 3).await, (1, Some(false)));
        assert_eq!(attempts(Retry::Backoff, 3).await, (1, None));
    }
}
