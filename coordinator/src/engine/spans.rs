//! The spans of what is done for an audit after its submission: all of them in the trace of that.

use tracing::{Span, info_span};
use umbra_core::ids::{AuditId, Fence, PackId, SlotId};
use umbra_runtime::TraceParent;

use crate::facts::AuditFacts;

/// A pack is assigned: the place for the worker's own span, empty where there is no trace.
pub fn assigned(facts: &AuditFacts, pack: &PackId, fence: Fence, slot: &SlotId) -> String {
    let span = info_span!("assign", audit = %pack.audit, pack = pack.pack.0, fence = fence.0, %slot);
    // A coordinator that makes no traces hands on what it was told.
    let parent = TraceParent::of(&facts.trace(span)).or_else(|| facts.trace.clone());
    parent.map(|parent| parent.as_str().to_owned()).unwrap_or_default()
}

/// A reported result is verified.
pub fn ingest(facts: &AuditFacts, pack: &PackId, fence: Fence) -> Span {
    facts.trace(info_span!("ingest", audit = %pack.audit, pack = pack.pack.0, fence = fence.0))
}

/// The statistics are computed.
pub fn analyse(facts: &AuditFacts, audit: &AuditId) -> Span {
    facts.trace(info_span!("analyse", %audit))
}
