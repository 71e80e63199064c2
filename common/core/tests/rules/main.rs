//! The scheduler's rules, one theme a file, on small clusters driven by hand.

#![allow(clippy::unwrap_used)]

mod bench;
mod endings;
mod fairness;
mod faults;
mod fences;
mod quarantine;
mod reasons;
mod restarts;
mod sessions;
mod sizes;
mod slots;
mod stragglers;
