//! What exists is reused, never recomputed: packs whose shadows' logits are stored already, or their weights.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use tonic::Status;
use umbra_core::cluster::{Checkpoint, Existing, PackResult};
use umbra_core::digest::Digest;
use umbra_core::ids::{Fence, PackIndex, Shadow};
use umbra_core::plan::PackPlan;
use umbra_proto::convert::blob;
use umbra_proto::error::{Reason, refuse};
use umbra_proto::store::v1::{StoredLogits, StoredWeights};
use umbra_proto::v1;
use umbra_runtime::blobs::BlobKey;

use crate::audit_task::AuditTask;
use crate::datasets::store;
use crate::engine::records::{Damaged, decode};
use crate::facts::{AuditFacts, Prepared};
use crate::keys;
use crate::shell::{Shell, turn};
use crate::store::{Key, Op};

/// Packs that are looked up at a time in a store that is asked over a network. One on this machine answers from its
/// memory, and each thread that asks it takes some.
const AT_A_TIME: usize = 16;

/// What exists of an audit's packs, whole: every shadow, in order, in one blob of its own. Of a pack whose logits exist
/// no weights are looked for.
///
/// # Errors
/// A status if the data set or the stores fail.
pub async fn existing(
    shell: &Shell,
    facts: &std::sync::Arc<AuditFacts>,
    numerics: &str,
) -> Result<Vec<(PackIndex, Existing)>, Status> {
    let _turn = turn(&shell.heavy.drawings).await;
    let task = AuditTask::new(facts.clone(), numerics.to_owned());
    let prepared = task.prepared(shell).await;
    let prepared = prepared.map_err(|fault| refuse(Reason::WrongState, fault.message))?;
    let (steps, prepared) = (facts.plan.steps, &*prepared);
    let packs = &facts.plan.packs;
    let at_a_time = if shell.store.is_shared() { AT_A_TIME } else { 1 };
    let found = futures::stream::iter(0..packs.len()).map(|at| async move {
        let pack = &packs[at];
        let existing = of_pack(shell, pack, prepared, steps).await?;
        Ok(existing.map(|existing| (pack.index, existing)))
    });
    found.buffered(at_a_time).try_filter_map(|found| async { Ok(found) }).try_collect().await
}

async fn of_pack(
    shell: &Shell,
    pack: &PackPlan,
    prepared: &Prepared,
    steps: u64,
) -> Result<Option<Existing>, Status> {
    let logits = |shadow: u32| keys::logits(&prepared.logits[shadow as usize]);
    if let Some(Whole { key, digest, bytes, lost }) = whole(shell, pack, logits, logits_place).await? {
        return Ok(Some(Existing::Result(PackResult { key, digest, bytes, lost, weights: None })));
    }
    let weights = |shadow: u32| keys::weights(&prepared.train[shadow as usize]);
    let found = whole(shell, pack, weights, weights_place).await?;
    Ok(found.map(|Whole { key, digest, bytes, .. }| {
        let step = steps.saturating_mul(pack.shadows.len() as u64);
        Existing::Weights(Checkpoint { step, fence: Fence(0), key, digest, bytes })
    }))
}

/// A blob with something of every shadow of a pack.
struct Whole {
    key: String,
    digest: Digest,
    bytes: u64,
    lost: Vec<Shadow>,
}

/// Where something of a shadow lies: an entry of the index.
pub struct Place {
    /// The blob.
    pub blob: v1::Blob,
    position: u32,
    shadows: u32,
    lost: bool,
}

/// Reads an entry.
pub type ReadPlace = fn(&Key, &Bytes) -> Result<Place, Damaged>;

/// An entry of logits.
///
/// # Errors
/// [`Damaged`] if it is none.
pub fn logits_place(key: &Key, value: &Bytes) -> Result<Place, Damaged> {
    let StoredLogits { blob, position, lost, shadows } = decode(key, value)?;
    Ok(Place { blob: blob.unwrap_or_default(), position, shadows, lost })
}

/// An entry of weights.
///
/// # Errors
/// [`Damaged`] if it is none.
pub fn weights_place(key: &Key, value: &Bytes) -> Result<Place, Damaged> {
    let StoredWeights { blob, position, shadows } = decode(key, value)?;
    Ok(Place { blob: blob.unwrap_or_default(), position, shadows, lost: false })
}

async fn whole(
    shell: &Shell,
    pack: &PackPlan,
    key: impl Fn(u32) -> Key,
    place: ReadPlace,
) -> Result<Option<Whole>, Status> {
    let mut whole: Option<Whole> = None;
    for (position, shadow) in pack.shadows.clone().enumerate() {
        let key = key(shadow);
        let value = shell.store.get(&key).await.map_err(|error| store(&error))?;
        let Some(value) = value else { return Ok(None) };
        let place = place(&key, &value.bytes).map_err(|error| refuse(Reason::Internal, error.to_string()))?;
        let same = whole.as_ref().is_none_or(|whole| whole.key == place.blob.key);
        if place.position as usize != position || place.shadows as usize != pack.shadows.len() || !same {
            return Ok(None);
        }
        let Ok(digest) = Digest::from_slice(&place.blob.sha256) else { return Ok(None) };
        let v1::Blob { key, size, .. } = place.blob;
        let whole = whole.get_or_insert(Whole { key, digest, bytes: size, lost: Vec::new() });
        if place.lost {
            whole.lost.push(Shadow(shadow));
        }
    }
    // The audit that made it may have been deleted with its blobs.
    let Some(whole) = whole else { return Ok(None) };
    let Ok(key) = BlobKey::try_new(whole.key.as_str()) else { return Ok(None) };
    let there = shell.blobs.head(&key).await.is_ok_and(|info| info.size == whole.bytes);
    Ok(there.then_some(whole))
}

/// The index of a verified pack.
pub fn index(pack: &PackPlan, result: &PackResult, prepared: &Prepared) -> Vec<Op> {
    let shadows = pack.shadows.len() as u32;
    let mut ops = Vec::new();
    for (position, shadow) in (0..).zip(pack.shadows.clone()) {
        let stored = StoredLogits {
            blob: Some(blob(result.key.as_str(), &result.digest, result.bytes)),
            position,
            lost: result.lost.contains(&Shadow(shadow)),
            shadows,
        };
        let key = keys::logits(&prepared.logits[shadow as usize]);
        ops.push(Op::Put { key, value: stored.encode_to_vec().into() });
        if let Some(kept) = &result.weights {
            let blob = Some(blob(kept.key.as_str(), &kept.digest, kept.bytes));
            let stored = StoredWeights { blob, position, shadows };
            let key = keys::weights(&prepared.train[shadow as usize]);
            ops.push(Op::Put { key, value: stored.encode_to_vec().into() });
        }
    }
    ops
}
