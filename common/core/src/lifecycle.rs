//! The lives of audits and packs: plain enums, and the only transitions there are, as tables.
//!
//! ```text
//! audit   Running --> Analysing --> Succeeded
//!            |            |
//!            +------------+-------> Failed | Cancelled
//!
//! pack    Waiting --> Leased --> Reported --> Done
//!          ^  |         |           |
//!          +--+---------+-----------+        (lost, released, failed: it waits again)
//!             +---------+-----------+------> Failed
//!          Waiting --> Done                  (its result existed already)
//! ```
//!
//! A terminal state is for ever.

use crate::cluster::PackResult;
use crate::ids::{Fence, SlotId};

/// Where an audit stands. A queued audit is `Running` with nothing placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditState {
    /// Its packs wait, run, or are being taken in.
    Running,
    /// Every pack is done; the statistics are being computed.
    Analysing,
    /// The findings are there.
    Succeeded,
    /// It ended with a fault, which its record carries.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl AuditState {
    /// Every state, in the order of an audit's life.
    pub const ALL: [Self; 5] =
        [Self::Running, Self::Analysing, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The states that may follow this one: the whole table.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Running => &[Self::Analysing, Self::Failed, Self::Cancelled],
            Self::Analysing => &[Self::Succeeded, Self::Failed, Self::Cancelled],
            Self::Succeeded | Self::Failed | Self::Cancelled => &[],
        }
    }

    /// Whether `next` may follow this state.
    pub fn may_become(self, next: Self) -> bool {
        self.next().contains(&next)
    }

    /// Whether nothing can follow.
    pub const fn is_terminal(self) -> bool {
        self.next().is_empty()
    }
}

/// Where a pack stands, with what belongs to that state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackState {
    /// It waits for a slot. There is no record of a pack that waits and has nothing to remember.
    Waiting,
    /// A slot works on it under a fence. The lease's time is not part of the state: it lives in the
    /// leader's memory only.
    Leased {
        /// The only fence that may report it.
        fence: Fence,
        /// Who works on it.
        slot: SlotId,
    },
    /// Its result is durable and named, but not verified and indexed yet.
    Reported {
        /// The fence that reported it.
        fence: Fence,
        /// What was reported.
        result: PackResult,
    },
    /// Its result is verified and counts, exactly once.
    Done {
        /// The fence that reported it; none when the result existed before the audit was submitted.
        fence: Option<Fence>,
        /// What counts.
        result: PackResult,
    },
    /// It ended its audit.
    Failed,
}

impl PackState {
    /// The state without what it carries.
    pub const fn phase(&self) -> PackPhase {
        match self {
            Self::Waiting => PackPhase::Waiting,
            Self::Leased { .. } => PackPhase::Leased,
            Self::Reported { .. } => PackPhase::Reported,
            Self::Done { .. } => PackPhase::Done,
            Self::Failed => PackPhase::Failed,
        }
    }

    /// The fence this state names.
    pub const fn fence(&self) -> Option<Fence> {
        match self {
            Self::Leased { fence, .. } | Self::Reported { fence, .. } => Some(*fence),
            Self::Done { fence, .. } => *fence,
            Self::Waiting | Self::Failed => None,
        }
    }
}

/// A pack's state without what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackPhase {
    /// See [`PackState::Waiting`].
    Waiting,
    /// See [`PackState::Leased`].
    Leased,
    /// See [`PackState::Reported`].
    Reported,
    /// See [`PackState::Done`].
    Done,
    /// See [`PackState::Failed`].
    Failed,
}

impl PackPhase {
    /// Every phase, in the order of a pack's life.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Leased, Self::Reported, Self::Done, Self::Failed];

    /// The phases that may follow this one: the whole table.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Waiting => &[Self::Leased, Self::Done, Self::Failed],
            Self::Leased => &[Self::Waiting, Self::Reported, Self::Failed],
            Self::Reported => &[Self::Waiting, Self::Done, Self::Failed],
            Self::Done | Self::Failed => &[],
        }
    }

    /// Whether `next` may follow this phase.
    pub fn may_become(self, next: Self) -> bool {
        self.next().contains(&next)
    }

    /// Whether nothing can follow.
    pub const fn is_terminal(self) -> bool {
        self.next().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_ends_once() {
        use AuditState::{Analysing, Cancelled, Failed, Running, Succeeded};
        let legal: Vec<_> = AuditState::ALL
            .into_iter()
            .flat_map(|from| AuditState::ALL.into_iter().map(move |to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .collect();
        assert_eq!(
            legal,
            [
                (Running, Analysing),
                (Running, Failed),
                (Running, Cancelled),
                (Analysing, Succeeded),
                (Analysing, Failed),
                (Analysing, Cancelled),
            ]
        );
        assert_eq!(AuditState::ALL.map(AuditState::is_terminal), [false, false, true, true, true]);
    }

    #[test]
    fn a_pack_is_done_or_failed_for_ever() {
        for phase in PackPhase::ALL {
            let terminal = matches!(phase, PackPhase::Done | PackPhase::Failed);
            assert_eq!(phase.is_terminal(), terminal, "{phase:?}");
            assert!(!phase.may_become(phase), "{phase:?} is no transition");
            assert_eq!(phase.may_become(PackPhase::Failed), !terminal, "{phase:?}");
        }
        assert!(!PackPhase::Leased.may_become(PackPhase::Done), "a result counts only after its ingest");
    }
}
