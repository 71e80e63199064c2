//! The scheduler's records as stored messages, and the keys they lie under.

use bytes::Bytes;
use prost::Message as _;
use umbra_core::cluster::{
    AuditDemand, AuditRecord, Checkpoint, ClusterRecord, KeptWeights, PackRecord, PackResult, Record,
    RecordKey,
};
use umbra_core::digest::Digest;
use umbra_core::ids::{AuditId, Fence, PackId, PackIndex, Shadow, SlotId, WorkerId};
use umbra_core::lifecycle::{AuditState, PackState};
use umbra_proto::convert::{blob, fault_from, fault_to};
use umbra_proto::store::v1 as stored;
use umbra_proto::v1;

use crate::keys;
use crate::store::Key;

/// A stored record that does not say what it should; a person must look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record {key} is damaged ({what}); stop, and restore the meta store from a copy")]
pub struct Damaged {
    key: String,
    what: String,
}

/// The key a record lies under.
pub fn key_of(key: &RecordKey) -> Key {
    match key {
        RecordKey::Cluster => keys::cluster(),
        RecordKey::Audit(id) => keys::audit(id),
        RecordKey::Pack(id) => keys::pack(id),
    }
}

/// A record as bytes.
pub fn encode(record: &Record) -> Bytes {
    let bytes = match record {
        Record::Cluster(record) => stored::StoredCluster {
            next_fence: wire_fence(record.next_fence),
            next_sequence: record.next_sequence,
        }
        .encode_to_vec(),
        Record::Audit(record) => audit_to(record).encode_to_vec(),
        Record::Pack(record) => pack_to(record).encode_to_vec(),
    };
    bytes.into()
}

/// The record of the cluster.
///
/// # Errors
/// [`Damaged`] if the bytes are not one.
pub fn decode_cluster(key: &Key, bytes: &Bytes) -> Result<Record, Damaged> {
    let stored = decode::<stored::StoredCluster>(key, bytes)?;
    let next_fence = core_fence(stored.next_fence);
    Ok(Record::Cluster(ClusterRecord { next_fence, next_sequence: stored.next_sequence }))
}

/// The record of an audit.
///
/// # Errors
/// [`Damaged`] if the bytes are not one.
pub fn decode_audit(key: &Key, bytes: &Bytes) -> Result<Record, Damaged> {
    let stored = decode::<stored::StoredAudit>(key, bytes)?;
    let state = state_from(stored.state()).ok_or_else(|| damaged(key, "no state"))?;
    let demand = stored.demand.unwrap_or_default();
    Ok(Record::Audit(AuditRecord {
        id: AuditId::try_new(stored.id).map_err(|error| damaged(key, error))?,
        state,
        demand: AuditDemand {
            packs: demand.packs,
            numerics: demand.numerics,
            priority: demand.priority,
            weight: demand.weight,
            max_slots: demand.max_slots,
            memory_bytes: demand.memory_bytes,
        },
        sequence: stored.sequence,
        fault: stored.fault.as_ref().map(fault_from),
        deleting: stored.deleting,
    }))
}

/// The record of a pack.
///
/// # Errors
/// [`Damaged`] if the bytes are not one.
pub fn decode_pack(key: &Key, bytes: &Bytes) -> Result<Record, Damaged> {
    let stored = decode::<stored::StoredPack>(key, bytes)?;
    let audit = AuditId::try_new(stored.audit_id.as_str()).map_err(|error| damaged(key, error))?;
    let state = pack_state_from(key, &stored)?;
    let avoid = match stored.avoid_worker_id.as_str() {
        "" => None,
        worker => Some(WorkerId::try_new(worker).map_err(|error| damaged(key, error))?),
    };
    let checkpoint = stored
        .checkpoint
        .map(|stored| {
            let digest = Digest::from_slice(&stored.sha256).map_err(|error| damaged(key, error))?;
            let fence = core_fence(stored.fence);
            let (step, key, bytes) = (stored.step, stored.key, stored.size);
            Ok::<_, Damaged>(Checkpoint { step, fence, key, digest, bytes })
        })
        .transpose()?;
    Ok(Record::Pack(PackRecord {
        id: PackId { audit, pack: PackIndex(stored.pack) },
        state,
        attempts: stored.attempts,
        losses: stored.losses,
        checkpoint,
        last_fault: stored.last_fault.as_ref().map(fault_from),
        avoid,
        too_small: stored.too_small_bytes,
    }))
}

/// An audit's state on the wire.
pub fn state_to(state: AuditState) -> v1::AuditState {
    match state {
        AuditState::Running => v1::AuditState::Running,
        AuditState::Analysing => v1::AuditState::Analysing,
        AuditState::Succeeded => v1::AuditState::Succeeded,
        AuditState::Failed => v1::AuditState::Failed,
        AuditState::Cancelled => v1::AuditState::Cancelled,
    }
}

fn state_from(state: v1::AuditState) -> Option<AuditState> {
    AuditState::ALL.into_iter().find(|&known| state_to(known) == state)
}

/// A fence on the wire.
pub fn wire_fence(fence: Fence) -> i64 {
    i64::try_from(fence.0).unwrap_or(i64::MAX)
}

/// A fence from the wire; a negative one was never given.
pub fn core_fence(fence: i64) -> Fence {
    Fence(u64::try_from(fence).unwrap_or(0))
}

fn audit_to(record: &AuditRecord) -> stored::StoredAudit {
    stored::StoredAudit {
        id: record.id.to_string(),
        state: state_to(record.state).into(),
        demand: Some(stored::StoredDemand {
            packs: record.demand.packs,
            numerics: record.demand.numerics.clone(),
            priority: record.demand.priority,
            weight: record.demand.weight,
            max_slots: record.demand.max_slots,
            memory_bytes: record.demand.memory_bytes,
        }),
        fault: record.fault.as_ref().map(fault_to),
        sequence: record.sequence,
        deleting: record.deleting,
    }
}

fn pack_to(record: &PackRecord) -> stored::StoredPack {
    let mut stored = stored::StoredPack {
        audit_id: record.id.audit.to_string(),
        pack: record.id.pack.0,
        attempts: record.attempts,
        losses: record.losses,
        checkpoint: record.checkpoint.as_ref().map(|checkpoint| stored::StoredCheckpoint {
            step: checkpoint.step,
            fence: wire_fence(checkpoint.fence),
            key: checkpoint.key.clone(),
            sha256: checkpoint.digest.as_bytes().to_vec(),
            size: checkpoint.bytes,
        }),
        last_fault: record.last_fault.as_ref().map(fault_to),
        avoid_worker_id: record.avoid.as_ref().map(WorkerId::to_string).unwrap_or_default(),
        too_small_bytes: record.too_small,
        fence: record.state.fence().map_or(0, wire_fence),
        ..stored::StoredPack::default()
    };
    let state = match &record.state {
        PackState::Waiting => stored::StoredPackState::Waiting,
        PackState::Leased { slot, .. } => {
            stored.worker_id = slot.worker.to_string();
            stored.slot = slot.slot;
            stored::StoredPackState::Leased
        }
        PackState::Reported { result, .. } => {
            stored.result = Some(result_to(result));
            stored::StoredPackState::Reported
        }
        PackState::Done { result, .. } => {
            stored.result = Some(result_to(result));
            stored::StoredPackState::Done
        }
        PackState::Failed => stored::StoredPackState::Failed,
    };
    stored.set_state(state);
    stored
}

fn pack_state_from(key: &Key, pack: &stored::StoredPack) -> Result<PackState, Damaged> {
    let fence = core_fence(pack.fence);
    let result = || {
        let result = pack.result.as_ref().ok_or_else(|| damaged(key, "no result"))?;
        result_from(key, result)
    };
    Ok(match pack.state() {
        stored::StoredPackState::Unspecified => return Err(damaged(key, "no state")),
        stored::StoredPackState::Waiting => PackState::Waiting,
        stored::StoredPackState::Leased => {
            let worker = WorkerId::try_new(pack.worker_id.as_str()).map_err(|error| damaged(key, error))?;
            PackState::Leased { fence, slot: SlotId { worker, slot: pack.slot } }
        }
        stored::StoredPackState::Reported => PackState::Reported { fence, result: result()? },
        stored::StoredPackState::Done => {
            PackState::Done { fence: Some(fence).filter(|fence| fence.0 > 0), result: result()? }
        }
        stored::StoredPackState::Failed => PackState::Failed,
    })
}

fn result_to(result: &PackResult) -> stored::StoredResult {
    stored::StoredResult {
        blob: Some(blob(result.key.as_str(), &result.digest, result.bytes)),
        lost_shadows: result.lost.iter().map(|shadow| shadow.0).collect(),
        weights: result.weights.as_ref().map(|kept| blob(kept.key.as_str(), &kept.digest, kept.bytes)),
    }
}

fn result_from(key: &Key, result: &stored::StoredResult) -> Result<PackResult, Damaged> {
    let blob = result.blob.clone().unwrap_or_default();
    let weights = result.weights.clone().map(|kept| {
        let digest = Digest::from_slice(&kept.sha256).map_err(|error| damaged(key, error))?;
        Ok(Box::new(KeptWeights { key: kept.key, digest, bytes: kept.size }))
    });
    Ok(PackResult {
        key: blob.key,
        digest: Digest::from_slice(&blob.sha256).map_err(|error| damaged(key, error))?,
        bytes: blob.size,
        lost: result.lost_shadows.iter().copied().map(Shadow).collect(),
        weights: weights.transpose()?,
    })
}

/// A stored message.
///
/// # Errors
/// [`Damaged`] if the bytes are not one.
pub fn decode<M: prost::Message + Default>(key: &Key, bytes: &Bytes) -> Result<M, Damaged> {
    M::decode(bytes.clone()).map_err(|error| damaged(key, error))
}

fn damaged(key: &Key, what: impl std::fmt::Display) -> Damaged {
    Damaged { key: key.to_string(), what: what.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use umbra_core::fault::{Domain, Fault, Retry};

    fn pack(state: PackState) -> Record {
        Record::Pack(PackRecord {
            id: PackId { audit: AuditId::try_new("a-1").unwrap(), pack: PackIndex(3) },
            state,
            attempts: 1,
            losses: 2,
            checkpoint: Some(Checkpoint {
                step: 5,
                fence: Fence(8),
                key: "k".into(),
                digest: Digest::of(b"c"),
                bytes: 7,
            }),
            last_fault: Some(Fault::new(Domain::Device, Retry::Elsewhere, "hot")),
            avoid: Some(WorkerId::try_new("w").unwrap()),
            too_small: 1 << 34,
        })
    }

    #[test]
    fn records_survive_the_store() {
        let weights = Box::new(KeptWeights { key: "w".into(), digest: Digest::of(b"w"), bytes: 8 });
        let result = PackResult {
            key: "r".into(),
            digest: Digest::of(b"r"),
            bytes: 9,
            lost: vec![Shadow(2)],
            weights: Some(weights),
        };
        let slot = SlotId { worker: WorkerId::try_new("w").unwrap(), slot: 1 };
        let states = [
            PackState::Waiting,
            PackState::Leased { fence: Fence(9), slot },
            PackState::Reported { fence: Fence(9), result: result.clone() },
            PackState::Done { fence: Some(Fence(9)), result: result.clone() },
            PackState::Done { fence: None, result: PackResult { weights: None, ..result } },
            PackState::Failed,
        ];
        for record in states.map(pack) {
            let key = key_of(&record.key());
            assert_eq!(decode_pack(&key, &encode(&record)).unwrap(), record);
        }
        for state in AuditState::ALL {
            let record = Record::Audit(AuditRecord {
                id: AuditId::try_new("a-1").unwrap(),
                state,
                demand: AuditDemand {
                    packs: 7,
                    numerics: "n".into(),
                    priority: -2,
                    weight: 3,
                    max_slots: 4,
                    memory_bytes: 5,
                },
                sequence: 11,
                fault: Some(Fault::new(Domain::Spec, Retry::Never, "bad")),
                deleting: true,
            });
            let key = key_of(&record.key());
            assert_eq!(decode_audit(&key, &encode(&record)).unwrap(), record);
        }
        let record = Record::Cluster(ClusterRecord { next_fence: Fence(4), next_sequence: 2 });
        let key = key_of(&record.key());
        assert_eq!(decode_cluster(&key, &encode(&record)).unwrap(), record);
    }

    #[test]
    fn damage_is_found_and_named() {
        let key = Key::try_new("pack/a-1/3").unwrap();
        let error = decode_pack(&key, &Bytes::from_static(b"\xff\xff")).unwrap_err();
        assert!(error.to_string().contains("pack/a-1/3"), "{error}");
        assert!(decode_audit(&key, &Bytes::new()).is_err(), "a record without a state");
    }
}
