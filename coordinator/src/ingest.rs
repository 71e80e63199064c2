//! Taking in a reported pack: verify its bytes, check its shape, index it. Safe to do again at any time.

use umbra_core::cluster::PackResult;
use umbra_core::digest::Digest;
use umbra_core::fault::{Domain, Fault, Retry};
use umbra_core::ids::{Fence, PackId};
use umbra_proto::MAX_CHECKPOINT;
use umbra_runtime::blobs::{BlobError, BlobKey};

use crate::audit_task::AuditTask;
use crate::engine::Command;
use crate::files::{self, BlobFile};
use crate::findings::{MAX_PACK, open_pack};
use crate::patience::patiently;
use crate::reuse;
use crate::shell::{Shell, turn};
use crate::store::Op;

/// Verifies a result and tells the engine whether it counts.
pub async fn ingest(shell: &Shell, task: &AuditTask, pack: PackId, fence: Fence, result: PackResult) {
    let away = |fault: &Fault| fault.domain == Domain::Store && fault.retry == Retry::Backoff;
    let verify = || verify(shell, task, &pack, &result);
    // Hours of training are not to be thrown away because a store is away for minutes.
    let Some(outcome) = patiently(&shell.drain, format!("ingest {pack}"), away, verify).await else { return };
    // Without an engine the next leader asks again.
    let _ = shell.engine.tell(Command::Ingested { pack, fence, outcome }).await;
}

async fn verify(
    shell: &Shell,
    task: &AuditTask,
    pack: &PackId,
    result: &PackResult,
) -> Result<Vec<Op>, Fault> {
    let _turn = turn(&shell.heavy.ingests).await;
    let plan = task.facts.plan.packs.get(pack.pack.0 as usize);
    let plan = plan.ok_or_else(|| Fault::new(Domain::Bug, Retry::Never, "a pack beyond the plan"))?;
    let verified = verify_blob(shell, &result.key, &result.digest, MAX_PACK);
    let checked = async {
        let reader = open_pack(shell, &task.facts, plan, result).await?;
        let lost = result.lost.iter().map(|shadow| shadow.0).collect::<Vec<_>>();
        let checked = tokio::task::spawn_blocking(move || reader.check_finite(&lost)).await;
        checked.map_err(|error| Fault::new(Domain::Bug, Retry::Backoff, error.to_string()))?
    };
    let (size, _kept) = if shell.blobs.is_local() {
        // A file is there for both at once; of two that fail the digest says more.
        let (verified, checked) = futures::join!(verified, checked);
        let verified = verified?;
        checked?;
        verified
    } else {
        let verified = verified.await?;
        checked.await?;
        verified
    };
    if let Some(weights) = &result.weights {
        verify_blob(shell, &weights.key, &weights.digest, MAX_CHECKPOINT).await?;
    }
    let prepared = task.prepared(shell).await?;
    metrics::counter!("umbra_ingested_bytes_total").increment(size);
    let result = PackResult { bytes: size, ..result.clone() };
    Ok(reuse::index(plan, &result, &prepared))
}

/// Whether a blob is there and what the worker said it is; its bytes, and the file.
async fn verify_blob(shell: &Shell, key: &str, digest: &Digest, most: u64) -> Result<(u64, BlobFile), Fault> {
    let key = BlobKey::try_new(key).map_err(|error| unusable(error.to_string()))?;
    files::verify(shell, &key, digest, most).await.map_err(|error| match error {
        // What the worker named is not there or not that: made again, it may be.
        BlobError::NotFound(_) | BlobError::Mismatch { .. } | BlobError::TooLarge { .. } => {
            unusable(error.to_string())
        }
        error => Fault::new(Domain::Store, Retry::Backoff, error.to_string()),
    })
}

fn unusable(what: String) -> Fault {
    Fault::new(Domain::Worker, Retry::Elsewhere, what)
}
