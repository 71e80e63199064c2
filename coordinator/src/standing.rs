//! What this coordinator is among those of its meta store: said by the engine, asked by whoever answers calls.

use std::sync::Arc;

use tokio::sync::watch;
use tonic::Status;
use umbra_proto::error::{Reason, not_leader, refuse};

/// What a coordinator is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It reads its state, or cannot reach its meta store.
    Starting,
    /// Another one leads, at this address if it is known.
    Following(Option<String>),
    /// It leads, in the term of this number, since this Unix time in milliseconds.
    Leading {
        /// The term.
        epoch: u64,
        /// When it began.
        since: u64,
    },
}

/// Where a coordinator's standing is kept. Clones share it.
#[derive(Clone)]
pub struct Post(Arc<watch::Sender<Standing>>);

impl Post {
    /// Starting.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Standing::Starting)))
    }

    /// From now on it is this.
    pub fn take(&self, standing: Standing) {
        self.0.send_if_modified(|now| {
            let changes = *now != standing;
            if changes {
                tracing::debug!(?standing, "another standing");
                *now = standing;
            }
            changes
        });
    }

    /// What it is.
    pub fn standing(&self) -> Standing {
        self.0.borrow().clone()
    }

    /// Whether it may answer calls.
    ///
    /// # Errors
    /// A status that names the leader, or says to try again.
    pub fn check(&self) -> Result<(), Status> {
        match &*self.0.borrow() {
            Standing::Leading { .. } => Ok(()),
            Standing::Following(leader) => Err(not_leader(leader.as_deref())),
            Standing::Starting => {
                Err(refuse(Reason::Unavailable, "the coordinator is starting: try again in a moment"))
            }
        }
    }

    /// Waits until it can say something of use: that it leads, or that another does.
    pub async fn known(&self) {
        self.until(|standing| *standing != Standing::Starting).await;
    }

    /// Waits until it leads.
    pub async fn leads(&self) {
        self.until(|standing| matches!(standing, Standing::Leading { .. })).await;
    }

    /// Waits until it does not lead (any more).
    pub async fn is_over(&self) {
        self.until(|standing| !matches!(standing, Standing::Leading { .. })).await;
    }

    async fn until(&self, wanted: impl FnMut(&Standing) -> bool) {
        // The sender lives as long as this.
        let _ = self.0.subscribe().wait_for(wanted).await;
    }
}

impl Default for Post {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_leader_answers() {
        let post = Post::new();
        assert_eq!(Reason::of(&post.check().unwrap_err()), Some(Reason::Unavailable));
        post.take(Standing::Following(Some("https://b:7443".into())));
        post.known().await;
        let refused = post.check().unwrap_err();
        assert!(refused.message().contains("https://b:7443"), "{refused}");
        assert_eq!(Reason::of(&refused), Some(Reason::NotLeader));
        post.take(Standing::Leading { epoch: 7, since: 1 });
        post.leads().await;
        assert!(post.check().is_ok());
        post.take(Standing::Following(None));
        post.is_over().await;
        assert_eq!(Reason::of(&post.check().unwrap_err()), Some(Reason::NotLeader));
    }
}
