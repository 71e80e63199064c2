//! Wrong inputs at the coordinator's RPCs, sent by clients that keep to no rule: every one is refused with
//! a reason that programs can read, nothing of it stays, and the process serves on.

mod audits;
mod blobs;
mod datasets;
mod sessions;
mod speaking;
mod tokens;
