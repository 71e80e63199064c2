//! The pure core of Umbra: names, seeds, specifications, membership, plans, and the scheduler's state
//! machine.
//!
//! Nothing here reads a clock, a file, the environment, the network or a global source of random
//! numbers: everything is a function of its arguments, so every decision can be replayed.

pub mod cluster;
pub mod digest;
pub mod document;
pub mod fault;
pub mod ids;
pub mod keys;
pub mod lifecycle;
pub mod membership;
pub mod memory;
pub mod places;
pub mod plan;
pub mod seed;
pub mod shape;
pub mod spec;
