//! What exists is reused, never recomputed: packs whose shadows' logits are stored already.

use bytes::Bytes;
use prost::Message as _;
use tonic::Status;
use umbra_core::cluster::PackResult;
use umbra_core::digest::Digest;
use umbra_core::ids::{PackIndex, Shadow};
use umbra_core::keys::LogitsKey;
use umbra_core::plan::PackPlan;
use umbra_proto::convert::blob;
use umbra_proto::error::{Reason, refuse};
use umbra_proto::store::v1::StoredLogits;
use umbra_runtime::blobs::BlobKey;

use crate::audit_task::AuditTask;
use crate::datasets::store;
use crate::engine::records::decode;
use crate::facts::AuditFacts;
use crate::keys;
use crate::shell::{Shell, turn};
use crate::store::Op;

/// The packs of an audit whose results exist whole: every shadow, in order, in one blob of its own.
///
/// # Errors
/// A status if the data set or the stores fail.
pub async fn existing(
    shell: &Shell,
    facts: &std::sync::Arc<AuditFacts>,
    numerics: &str,
) -> Result<Vec<(PackIndex, PackResult)>, Status> {
    let _turn = turn(&shell.heavy.drawings).await;
    let task = AuditTask::new(facts.clone(), numerics.to_owned());
    let prepared = task.prepared(shell).await;
    let prepared = prepared.map_err(|fault| refuse(Reason::WrongState, fault.message))?;
    let mut done = Vec::new();
    for pack in &facts.plan.packs {
        if let Some(result) = stored_pack(shell, pack, &prepared.logits).await? {
            done.push((pack.index, result));
        }
    }
    Ok(done)
}

async fn stored_pack(
    shell: &Shell,
    pack: &PackPlan,
    logits: &[LogitsKey],
) -> Result<Option<PackResult>, Status> {
    let mut whole: Option<PackResult> = None;
    for (position, shadow) in pack.shadows.clone().enumerate() {
        let key = keys::logits(&logits[shadow as usize]);
        let value = shell.store.get(&key).await.map_err(|error| store(&error))?;
        let Some(value) = value else { return Ok(None) };
        let stored = decode::<StoredLogits>(&key, &value.bytes)
            .map_err(|error| refuse(Reason::Internal, error.to_string()))?;
        let blob = stored.blob.unwrap_or_default();
        let same = whole.as_ref().is_none_or(|whole| whole.key == blob.key);
        if stored.position as usize != position || stored.shadows as usize != pack.shadows.len() || !same {
            return Ok(None);
        }
        let Ok(digest) = Digest::from_slice(&blob.sha256) else { return Ok(None) };
        let result =
            whole.get_or_insert(PackResult { key: blob.key, digest, bytes: blob.size, lost: Vec::new() });
        if stored.lost {
            result.lost.push(Shadow(shadow));
        }
    }
    // The audit that made it may have been deleted with its blobs.
    let Some(result) = whole else { return Ok(None) };
    let Ok(key) = BlobKey::try_new(result.key.as_str()) else { return Ok(None) };
    let there = shell.blobs.head(&key).await.is_ok_and(|info| info.size == result.bytes);
    Ok(there.then_some(result))
}

/// The index of a verified pack.
pub fn index(pack: &PackPlan, result: &PackResult, logits: &[LogitsKey]) -> Vec<Op> {
    let entries = pack.shadows.clone().enumerate().map(|(position, shadow)| {
        let stored = StoredLogits {
            blob: Some(blob(result.key.as_str(), &result.digest, result.bytes)),
            position: position as u32,
            lost: result.lost.contains(&Shadow(shadow)),
            shadows: pack.shadows.len() as u32,
        };
        let value: Bytes = stored.encode_to_vec().into();
        Op::Put { key: keys::logits(&logits[shadow as usize]), value }
    });
    entries.collect()
}
