//! Between the workers' messages and the scheduler's events and actions.

use std::collections::BTreeSet;

use umbra_core::cluster::{
    Checkpoint, Event, KeptWeights, Outcome, PackResult, RevokeReason, Steps, StillRunning,
};
use umbra_core::digest::Digest;
use umbra_core::ids::{AuditId, Fence, PackId, PackIndex, Shadow, SlotId, WorkerId};
use umbra_core::places;
use umbra_core::spec::Shadows;
use umbra_proto::convert::{fault_from, spec_to};
use umbra_proto::v1;
use umbra_runtime::blobs::BlobKey;

use super::records::{core_fence, wire_fence};
use crate::facts::AuditFacts;

/// The most packs a worker may name in one message.
pub const MAX_RUNNING: usize = 4096;

/// A message of a worker that breaks the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the worker sent a message that breaks the protocol: {0}")]
pub struct Malformed(String);

fn malformed(what: impl std::fmt::Display) -> Malformed {
    Malformed(what.to_string())
}

/// A pack's name from a message.
///
/// # Errors
/// [`Malformed`] if the audit's id is not one.
pub fn pack_id(audit: &str, pack: u32) -> Result<PackId, Malformed> {
    let audit = AuditId::try_new(audit).map_err(malformed)?;
    Ok(PackId { audit, pack: PackIndex(pack) })
}

/// A worker's hello as an event; the slots it has lost are read from its devices.
///
/// # Errors
/// [`Malformed`] if a pack it names is not one.
pub fn joined(worker: WorkerId, hello: v1::Hello, lost: BTreeSet<u32>) -> Result<Event, Malformed> {
    let running = hello
        .running
        .iter()
        .map(|running| {
            let pack = pack_id(&running.audit_id, running.pack)?;
            Ok(StillRunning { slot: running.slot, pack, fence: core_fence(running.fence) })
        })
        .collect::<Result<_, Malformed>>()?;
    let memory = hello.devices.iter().map(|device| device.memory_bytes).collect();
    Ok(Event::WorkerJoined { worker, slots: hello.slots, numerics: hello.numerics, running, lost, memory })
}

/// A checkpoint's message as an event.
///
/// # Errors
/// [`Malformed`] if a field is.
pub fn checkpointed(worker: WorkerId, said: v1::Checkpointed) -> Result<Event, Malformed> {
    let pack = pack_id(&said.audit_id, said.pack)?;
    let fence = core_fence(said.fence);
    let checkpoint = said.checkpoint.map(|said| checkpoint(&pack, said)).transpose()?;
    Ok(Event::Progress { worker, pack, fence, steps: None, checkpoint })
}

/// What a heartbeat says of one pack, as an event.
pub fn running(worker: WorkerId, pack: PackId, said: &v1::RunningPack, facts: Option<&AuditFacts>) -> Event {
    let planned =
        facts.and_then(|facts| Some((facts.plan.packs.get(pack.pack.0 as usize)?, facts.plan.steps)));
    let steps = planned.map(|(pack, steps)| {
        let all = steps.saturating_mul(pack.shadows.len() as u64);
        Steps { done: said.steps_done, left: all.saturating_sub(said.steps_done) }
    });
    Event::Progress { worker, pack, fence: core_fence(said.fence), steps, checkpoint: None }
}

/// A report as an event.
///
/// # Errors
/// [`Malformed`] if a field is.
pub fn reported(worker: WorkerId, said: v1::Report) -> Result<Event, Malformed> {
    use v1::report::Outcome as Said;
    let pack = pack_id(&said.audit_id, said.pack)?;
    let fence = core_fence(said.fence);
    let outcome = match said.outcome.ok_or_else(|| malformed("a report without an outcome"))? {
        Said::Done(result) => Outcome::Done(result_of(&pack, fence, result)?),
        Said::Failed(fault) => Outcome::Failed(fault_from(&fault)),
        Said::Released(released) => {
            let checkpoint = released.checkpoint.map(|said| checkpoint(&pack, said)).transpose()?;
            Outcome::Released { checkpoint }
        }
    };
    Ok(Event::Reported { worker, pack, fence, outcome })
}

/// A worker may only name blobs of the pack it reports: `audit/<id>/pack-<n>/fence-<f>/...`.
fn checkpoint(pack: &PackId, said: v1::Checkpoint) -> Result<Checkpoint, Malformed> {
    let fence = core_fence(said.fence);
    let (key, digest, bytes) = own_blob(pack, fence, said.blob.unwrap_or_default())?;
    Ok(Checkpoint { step: said.step, fence, key, digest, bytes })
}

fn result_of(pack: &PackId, fence: Fence, said: v1::PackResult) -> Result<PackResult, Malformed> {
    let (key, digest, bytes) = own_blob(pack, fence, said.blob.unwrap_or_default())?;
    // The list is stored before it is compared with the plan.
    if said.lost_shadows.len() > Shadows::MAX_BLOCK as usize {
        return Err(malformed(format!("{} lost shadows in one pack", said.lost_shadows.len())));
    }
    let lost = said.lost_shadows.into_iter().map(Shadow).collect();
    let weights = said.weights.map(|said| own_blob(pack, fence, said)).transpose()?;
    let weights = weights.map(|(key, digest, bytes)| Box::new(KeptWeights { key, digest, bytes }));
    Ok(PackResult { key, digest, bytes, lost, weights })
}

/// A blob of the pack's under the fence: its key, digest and size.
fn own_blob(pack: &PackId, fence: Fence, said: v1::Blob) -> Result<(String, Digest, u64), Malformed> {
    let v1::Blob { key, sha256, size } = said;
    if !key.starts_with(&places::pack_blob(pack, fence, "")) || BlobKey::try_new(key.as_str()).is_err() {
        return Err(malformed(format!("the blob {key:.200} is not one of pack {pack} under fence {fence}")));
    }
    Ok((key, Digest::from_slice(&sha256).map_err(malformed)?, size))
}

/// What a slot is told to train. `None` if the plan has no such pack.
pub fn assign(
    facts: &AuditFacts,
    numerics: &str,
    slot: &SlotId,
    pack: &PackId,
    fence: Fence,
    resume_from: Option<Checkpoint>,
    traceparent: String,
) -> Option<v1::Assign> {
    let planned = facts.plan.packs.get(pack.pack.0 as usize)?;
    Some(v1::Assign {
        slot: slot.slot,
        audit_id: pack.audit.to_string(),
        pack: pack.pack.0,
        fence: wire_fence(fence),
        spec: Some(spec_to(&facts.spec)),
        dataset: Some(facts.dataset.blob()),
        data_digest: facts.dataset.digest.to_string(),
        first_shadow: planned.shadows.start,
        shadows: planned.shadows.len() as u32,
        steps: facts.plan.steps,
        numerics: numerics.to_owned(),
        resume_from: resume_from.map(|checkpoint| v1::Checkpoint {
            step: checkpoint.step,
            fence: wire_fence(checkpoint.fence),
            blob: Some(umbra_proto::convert::blob(checkpoint.key, &checkpoint.digest, checkpoint.bytes)),
        }),
        traceparent,
    })
}

/// What a worker is told to stop.
pub fn revoke(pack: &PackId, fence: Fence, reason: RevokeReason) -> v1::Revoke {
    let reason = match reason {
        RevokeReason::Cancelled => v1::RevokeReason::Cancelled,
        RevokeReason::Draining => v1::RevokeReason::Draining,
        RevokeReason::Stale => v1::RevokeReason::Stale,
        RevokeReason::Moving => v1::RevokeReason::Moving,
    };
    v1::Revoke {
        audit_id: pack.audit.to_string(),
        pack: pack.pack.0,
        fence: wire_fence(fence),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_cannot_name_blobs_of_another_pack_or_fence() {
        let worker = WorkerId::try_new("w").unwrap();
        let report = |key: &str| v1::Report {
            audit_id: "a-1".into(),
            pack: 2,
            fence: 7,
            outcome: Some(v1::report::Outcome::Done(v1::PackResult {
                blob: Some(umbra_proto::convert::blob(key, &Digest::of(b"x"), 1)),
                ..v1::PackResult::default()
            })),
        };
        assert!(reported(worker.clone(), report("audit/a-1/pack-2/fence-7/logits")).is_ok());
        let mut kept = report("audit/a-1/pack-2/fence-7/logits");
        let Some(v1::report::Outcome::Done(done)) = &mut kept.outcome else { panic!("not done") };
        done.weights =
            Some(umbra_proto::convert::blob("audit/a-1/pack-2/fence-6/weights", &Digest::of(b"w"), 1));
        assert!(reported(worker.clone(), kept).is_err(), "another fence's weights");
        for foreign in [
            "audit/a-1/pack-2/fence-8/logits",
            "audit/a-1/pack-3/fence-7/logits",
            "audit/b-1/pack-2/fence-7/logits",
            "audit/a-1/pack-2/fence-77/logits",
            "audit/a-1/pack-2/fence-7/../../../../dataset/x",
            &format!("audit/a-1/pack-2/fence-7/{}", "x".repeat(1 << 20)),
            "dataset/x",
            "",
        ] {
            assert!(reported(worker.clone(), report(foreign)).is_err(), "{foreign:.80}");
        }
    }

    #[test]
    fn a_worker_cannot_have_a_list_stored_that_no_transaction_takes() {
        let blob = umbra_proto::convert::blob("audit/a-1/pack-2/fence-7/logits", &Digest::of(b"x"), 1);
        let pack = pack_id("a-1", 2).unwrap();
        let result = |lost: u32| v1::PackResult {
            blob: Some(blob.clone()),
            lost_shadows: (0..lost).collect(),
            ..v1::PackResult::default()
        };
        assert_eq!(result_of(&pack, Fence(7), result(64)).unwrap().lost.len(), 64);
        assert!(result_of(&pack, Fence(7), result(1 << 19)).is_err());
    }
}
