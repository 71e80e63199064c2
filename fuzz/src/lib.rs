//! What reads bytes from outside, as functions of arbitrary bytes: none of them panics, takes memory without
//! bound, or finds figures out of their range.

pub mod readers;
