//! Conversions between messages and the core's types. What comes from the wire is checked here, once.

mod basics;
mod spec;

pub use basics::{blob, digest, fault_from, fault_to, shape_from, shape_to};
pub use spec::{draft_from, named_by, request_id, spec_to};
