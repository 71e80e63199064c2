//! The lease a leader's key hangs on, kept by a task of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use umbra_runtime::Drain;

use super::calls::Calls;
use super::failure::Failure;

/// A lease is renewed so many times while it lasts.
const RENEWALS: u32 = 3;

/// How long giving a lease back may take; then it ends by itself.
pub const PARTING: Duration = Duration::from_secs(2);

/// A lease that is being renewed. Dropping it gives it back in the background.
pub struct Lease {
    /// Its id.
    pub id: i64,
    over: CancellationToken,
    abandoned: CancellationToken,
    ended: CancellationToken,
}

impl Lease {
    /// Asks for a lease and renews it, in a task that ends with the lease or with the drain.
    pub async fn grant(calls: &Arc<Calls>, lasts: Duration, drain: &Drain) -> Result<Self, Failure> {
        let seconds = lasts.as_secs() as i64;
        let ask = |client: etcd_client::Client| async move {
            // etcd may have begun to count before its answer is here.
            let asked = Instant::now();
            Ok((asked, client.lease_client().grant(seconds, None).await?))
        };
        let (asked, granted) = calls.ask(ask).await?;
        let lasts = Duration::from_secs(granted.ttl().unsigned_abs());
        let lease = Self {
            id: granted.id(),
            over: CancellationToken::new(),
            abandoned: CancellationToken::new(),
            ended: CancellationToken::new(),
        };
        let keeper = Keeper { calls: calls.clone(), id: lease.id, lasts, ends: asked + lasts };
        drain.spawn("etcd lease", keeper.keep(lease.tokens(), drain.clone()));
        Ok(lease)
    }

    /// Cancelled once the lease, or what it stands for, is over.
    pub fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Gives the lease back, which removes its key; waits for that at most [`PARTING`].
    pub async fn give_back(&self) {
        self.abandoned.cancel();
        let _ = timeout(PARTING, self.ended.cancelled()).await;
    }

    fn tokens(&self) -> Tokens {
        Tokens { over: self.over.clone(), abandoned: self.abandoned.clone(), ended: self.ended.clone() }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.abandoned.cancel();
    }
}

struct Tokens {
    over: CancellationToken,
    abandoned: CancellationToken,
    ended: CancellationToken,
}

struct Keeper {
    calls: Arc<Calls>,
    id: i64,
    lasts: Duration,
    /// Until when it surely lasts, by this machine's clock.
    ends: Instant,
}

impl Keeper {
    async fn keep(mut self, tokens: Tokens, drain: Drain) {
        // However this ends, aborted with the runtime included, nobody waits for it in vain.
        let (_over, _ended) = (tokens.over.clone().drop_guard(), tokens.ended.drop_guard());
        tokio::select! {
            biased;
            // A store that is dropped is like one whose process died: its lease ends by itself.
            () = drain.begun() => return,
            () = tokens.abandoned.cancelled() => {}
            () = tokens.over.cancelled() => {}
            () = self.renew() => {}
        }
        tokens.over.cancel();
        let id = self.id;
        let revoked = self.calls.ask(|client| async move { client.lease_client().revoke(id).await });
        if let Ok(Err(Failure::Away { reason, .. } | Failure::Refused(reason))) =
            timeout(PARTING, revoked).await
        {
            tracing::debug!(reason, "cannot give a lease back; it ends by itself");
        }
    }

    /// Renews the lease until it is over, or may be.
    async fn renew(&mut self) {
        let every = self.lasts / RENEWALS;
        loop {
            let next = (Instant::now() + every).min(self.ends);
            sleep_until(next).await;
            let id = self.id;
            let ask = |client: etcd_client::Client| async move {
                let asked = Instant::now();
                // One stream a renewal: the next one may be at another endpoint.
                client.lease_client().keep_alive(id).await.map(|_| asked)
            };
            match self.calls.ask_until(self.ends, ask).await {
                Ok(asked) => self.ends = asked + self.lasts,
                Err(failure) => {
                    tracing::warn!(reason = self.calls.words(&failure), "the leader's lease is over");
                    return;
                }
            }
        }
    }
}
