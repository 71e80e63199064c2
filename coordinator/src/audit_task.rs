//! What tasks about one audit work with.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use umbra_core::fault::{Domain, Fault, Retry};

use crate::datasets::open_dataset;
use crate::facts::{AuditFacts, Prepared};
use crate::shell::Shell;

/// What tasks about one audit work with; what is expensive is derived once, when first needed.
pub struct AuditTask {
    /// What was asked for.
    pub facts: Arc<AuditFacts>,
    /// The class it is pinned to.
    pub numerics: String,
    /// Cancelled once the audit has ended: what is still computed for it is of no use.
    pub over: CancellationToken,
    prepared: OnceCell<Arc<Prepared>>,
}

impl AuditTask {
    /// Nothing is derived yet.
    pub fn new(facts: Arc<AuditFacts>, numerics: String) -> Self {
        Self { facts, numerics, over: CancellationToken::new(), prepared: OnceCell::new() }
    }

    /// The open data set, the membership and the result keys.
    ///
    /// # Errors
    /// A fault if the data set cannot be opened.
    pub async fn prepared(&self, shell: &Shell) -> Result<Arc<Prepared>, Fault> {
        let prepared = self.prepared.get_or_try_init(|| async {
            let dataset = open_dataset(shell, &self.facts.dataset).await?;
            let facts = self.facts.clone();
            let numerics = self.numerics.clone();
            tokio::task::spawn_blocking(move || Prepared::new(&facts, dataset, &numerics))
                .await
                .map_err(|error| Fault::new(Domain::Bug, Retry::Never, error.to_string()))
        });
        prepared.await.cloned()
    }
}
