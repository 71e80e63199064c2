//! Names of things, each a type of its own, checked once where it enters.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// A text that cannot be a name, with the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} \"{text}\" is not valid: use 1 to 63 of a-z, 0-9 and -, starting with a letter or digit")]
pub struct InvalidName {
    what: &'static str,
    text: String,
}

fn check_name(what: &'static str, text: &str) -> Result<(), InvalidName> {
    let good = (1..=63).contains(&text.len())
        && text.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-');
    if good {
        Ok(())
    } else {
        let text = text.chars().take(80).collect();
        Err(InvalidName { what, text })
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// Checks and wraps a name.
            ///
            /// # Errors
            /// [`InvalidName`] unless it is 1 to 63 of `a-z`, `0-9`, `-`, starting with a letter or digit.
            pub fn try_new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                check_name($what, &text)?;
                Ok(Self(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::try_new(text)
            }
        }
    };
}

name!(
    /// An audit, `<name>-<digest8>`: unique in a cluster, the same for the same request.
    AuditId,
    "the audit id"
);
name!(
    /// The name a person gives an audit.
    AuditName,
    "the audit name"
);
name!(
    /// The name of an imported data set.
    DatasetName,
    "the data set name"
);
name!(
    /// A worker process, unique while it lives.
    WorkerId,
    "the worker id"
);

impl AuditId {
    /// The id of the audit `name` asked for by the request whose digest is `request`.
    pub fn derive(name: &AuditName, request: &Digest) -> Self {
        let stem: String = name.as_str().chars().take(54).collect();
        Self(format!("{stem}-{}", request.short()))
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $type:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub $inner);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number!(
    /// The index of a shadow model within its audit.
    Shadow(u32)
);
number!(
    /// The index of a block of shadows within its audit.
    Block(u32)
);
number!(
    /// The index of a pack within its audit.
    PackIndex(u32)
);
number!(
    /// Who may report a pack: grows with every assignment in a cluster, never used twice.
    Fence(u64)
);
number!(
    /// Milliseconds on a clock that the shell reads; the core only compares and adds.
    Millis(u64)
);

impl Millis {
    /// This instant plus a number of milliseconds.
    pub const fn plus(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

/// One pack of one audit: the unit of scheduling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackId {
    /// The audit.
    pub audit: AuditId,
    /// The pack's index in the audit's plan.
    pub pack: PackIndex,
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.audit, self.pack)
    }
}

/// One slot (a CPU thread or a GPU) of one worker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId {
    /// The worker.
    pub worker: WorkerId,
    /// The slot's number on that worker, from 0.
    pub slot: u32,
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.worker, self.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_where_they_enter() {
        for good in ["a", "support2-mlp", "0x", &"a".repeat(63)] {
            assert!(AuditName::try_new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a/b", "a b", "é", &"a".repeat(64)] {
            assert!(AuditName::try_new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_derived_audit_id_is_a_valid_name() {
        let name = AuditName::try_new("a".repeat(63)).unwrap();
        let id = AuditId::derive(&name, &Digest::of(b"request"));
        assert_eq!(AuditId::try_new(id.as_str()).unwrap(), id);
        assert_eq!(id.as_str().len(), 63);
    }
}
