//! Faults, classified by where they lie and what the scheduler does next.

use std::fmt;

/// Where a fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    /// The audit's specification or recipe: it would fail anywhere.
    Spec,
    /// The data set.
    Data,
    /// The device or its memory.
    Device,
    /// The worker's process or machine.
    Worker,
    /// The meta store or the blob store.
    Store,
    /// A mistake in Umbra.
    Bug,
}

/// What to do after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Fail the audit at once: every attempt would fail alike.
    Never,
    /// Try again, here or anywhere, after a while.
    Backoff,
    /// Try again, on another worker where there is one.
    Elsewhere,
    /// There was too little memory: try again on a slot with more, where there is one.
    Larger,
}

impl Retry {
    /// Whether the worker where it happened is not the one to try again on.
    pub const fn is_elsewhere(self) -> bool {
        matches!(self, Self::Elsewhere | Self::Larger)
    }
}

/// A classified fault: what happened, in one sentence, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Where it lies.
    pub domain: Domain,
    /// What to do next.
    pub retry: Retry,
    /// One sentence that names what, where and the remedy.
    pub message: String,
}

impl Fault {
    /// The longest message that is kept; longer ones are cut.
    pub const MAX_MESSAGE: usize = 1000;

    /// A fault; an over-long message is cut at a character.
    pub fn new(domain: Domain, retry: Retry, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > Self::MAX_MESSAGE {
            let cut = (0..=Self::MAX_MESSAGE).rev().find(|&i| message.is_char_boundary(i));
            message.truncate(cut.unwrap_or(0));
        }
        Self { domain, retry, message }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
