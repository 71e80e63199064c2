//! What the shell knows of an audit: the checked specification, its data set and its plan.

use std::sync::Arc;

use prost::Message as _;
use tracing::Span;
use umbra_core::digest::{Digest, FieldHasher};
use umbra_core::ids::{AuditId, DatasetName};
use umbra_core::keys::{LogitsKey, TrainKey, logits_key, train_key};
use umbra_core::membership::Membership;
use umbra_core::plan::{Plan, plan};
use umbra_core::shape::DataShape;
use umbra_core::spec::AuditSpec;
use umbra_proto::convert::{blob, draft_from, named_by, shape_from, shape_to, spec_to};
use umbra_proto::store::v1 as stored;
use umbra_proto::v1;
use umbra_runtime::TraceParent;

use crate::datasets::OpenDataset;

/// A registered data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetFacts {
    /// Its name.
    pub name: DatasetName,
    /// Its content digest.
    pub digest: Digest,
    /// Its shape.
    pub shape: DataShape,
    /// The key of its bytes.
    pub key: String,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// The number of its bytes.
    pub size: u64,
    /// Unix time in milliseconds of the import.
    pub created: u64,
}

/// A stored message that does not say what it should, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

fn unreadable(what: impl std::fmt::Display) -> Unreadable {
    Unreadable(what.to_string())
}

impl DatasetFacts {
    /// From its stored form.
    ///
    /// # Errors
    /// [`Unreadable`] if a field is missing or malformed.
    pub fn from_stored(stored: &stored::StoredDataset) -> Result<Self, Unreadable> {
        let blob = stored.blob.clone().unwrap_or_default();
        Ok(Self {
            name: DatasetName::try_new(stored.name.as_str()).map_err(unreadable)?,
            digest: Digest::from_slice(&stored.digest).map_err(unreadable)?,
            shape: shape_from(stored.shape.as_ref()),
            key: blob.key,
            sha256: Digest::from_slice(&blob.sha256).map_err(unreadable)?,
            size: blob.size,
            created: u64::try_from(stored.create_unix_milliseconds).unwrap_or(0),
        })
    }

    /// Its stored form.
    pub fn to_stored(&self) -> stored::StoredDataset {
        stored::StoredDataset {
            name: self.name.to_string(),
            digest: self.digest.as_bytes().to_vec(),
            shape: Some(shape_to(&self.shape)),
            blob: Some(self.blob()),
            create_unix_milliseconds: i64::try_from(self.created).unwrap_or(i64::MAX),
        }
    }

    /// Its bytes, for a message.
    pub fn blob(&self) -> v1::Blob {
        blob(self.key.as_str(), &self.sha256, self.size)
    }
}

/// What is known of an audit from its submission on; never changes.
#[derive(Debug)]
pub struct AuditFacts {
    /// Its id.
    pub id: AuditId,
    /// What was asked for.
    pub spec: AuditSpec,
    /// The client's request id.
    pub request_id: String,
    /// The data set as it was resolved.
    pub dataset: DatasetFacts,
    /// Unix time in milliseconds of the submission.
    pub created: u64,
    /// Its packs.
    pub plan: Plan,
    /// The span of its submission, if that was part of a trace: what is done for it later is part of the same.
    pub trace: Option<TraceParent>,
}

impl AuditFacts {
    /// The facts of a new audit.
    pub fn new(spec: AuditSpec, request_id: String, dataset: DatasetFacts, created: u64) -> Self {
        let plan = plan(&spec, &dataset.shape);
        let mut hasher = FieldHasher::new("umbra audit id v1");
        hasher.put("spec", &named_by(spec_to(&spec)).encode_to_vec());
        hasher.put("data", dataset.digest.as_bytes());
        hasher.put("request", request_id.as_bytes());
        let id = AuditId::derive(spec.name(), &hasher.finish());
        Self { id, spec, request_id, dataset, created, plan, trace: None }
    }

    /// Logits that each shadow answers a record with.
    pub fn logits(&self) -> u32 {
        self.spec.training().logits(&self.dataset.shape)
    }

    /// From the stored form, under the id it was given: another release may derive another one.
    ///
    /// # Errors
    /// [`Unreadable`] if a field is missing or malformed.
    pub fn from_stored(id: AuditId, stored: stored::StoredRequest) -> Result<Self, Unreadable> {
        let spec = AuditSpec::try_new(&draft_from(stored.spec.unwrap_or_default())).map_err(unreadable)?;
        let dataset = DatasetFacts::from_stored(&stored.dataset.unwrap_or_default())?;
        let created = u64::try_from(stored.create_unix_milliseconds).unwrap_or(0);
        // A trace is worth no refusal.
        let trace = TraceParent::parse(&stored.traceparent);
        Ok(Self { id, trace, ..Self::new(spec, stored.request_id, dataset, created) })
    }

    /// The stored form.
    pub fn to_stored(&self) -> stored::StoredRequest {
        stored::StoredRequest {
            spec: Some(spec_to(&self.spec)),
            request_id: self.request_id.clone(),
            dataset: Some(self.dataset.to_stored()),
            create_unix_milliseconds: i64::try_from(self.created).unwrap_or(i64::MAX),
            traceparent: self.trace.as_ref().map(|trace| trace.as_str().to_owned()).unwrap_or_default(),
        }
    }

    /// Puts a span that has just been made into the trace of the submission, if there is one.
    pub fn trace(&self, span: Span) -> Span {
        if let Some(trace) = &self.trace {
            trace.adopt(&span);
        }
        span
    }
}

/// What is derived from the data set's own bytes: membership and result keys.
pub struct Prepared {
    /// The data set.
    pub dataset: OpenDataset,
    /// Which shadow trains on which unit.
    pub membership: Membership,
    /// The key of every shadow's weights, in shadow order.
    pub train: Vec<TrainKey>,
    /// The key of every shadow's logits, in shadow order.
    pub logits: Vec<LogitsKey>,
}

impl Prepared {
    /// Draws the membership and derives the keys; takes a second for a million units.
    pub fn new(facts: &AuditFacts, dataset: OpenDataset, numerics: &str) -> Arc<Self> {
        let spec = &facts.spec;
        let shadows = spec.shadows();
        let digests: Vec<Digest> = dataset.unit_digests().collect();
        let membership = Membership::of(spec, &digests);
        let data = (&facts.dataset.digest, &facts.dataset.shape);
        let train = (0..shadows.count()).map(|shadow| {
            let members = membership.shadow_digest(shadow);
            train_key(spec, data, &members, shadow, facts.plan.steps, numerics)
        });
        let train: Vec<_> = train.collect();
        let logits = train.iter().map(|train| logits_key(train, spec)).collect();
        Arc::new(Self { dataset, membership, train, logits })
    }
}
