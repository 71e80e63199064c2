//! Who may report what: the parts of messages that name a pack, checked where they enter.

use std::fmt;

use umbra_core::ids::{AuditId, Fence, PackId, PackIndex};
use umbra_proto::v1;

/// A pack and the fence it is held under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The pack.
    pub(crate) pack: PackId,
    /// The fence.
    pub(crate) fence: Fence,
}

impl Lease {
    /// Checks what a message says.
    pub(crate) fn try_from_wire(audit_id: &str, pack: u32, fence: i64) -> Result<Self, String> {
        let audit = AuditId::try_new(audit_id).map_err(|error| error.to_string())?;
        let fence = u64::try_from(fence).ok().filter(|&fence| fence > 0);
        let fence = fence.ok_or("a fence is above 0")?;
        Ok(Self { pack: PackId { audit, pack: PackIndex(pack) }, fence: Fence(fence) })
    }

    /// The fence as the wire writes it.
    pub(crate) fn wire_fence(&self) -> i64 {
        crate::blobs::wire_fence(self.fence)
    }

    /// A report of how it ended.
    pub(crate) fn report(&self, outcome: v1::report::Outcome) -> v1::Report {
        v1::Report {
            audit_id: self.pack.audit.to_string(),
            pack: self.pack.pack.0,
            fence: self.wire_fence(),
            outcome: Some(outcome),
        }
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} under fence {}", self.pack, self.fence)
    }
}
