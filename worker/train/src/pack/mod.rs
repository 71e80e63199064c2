//! Packs: shadows placed together on one slot, trained and queried, stopped and gone on with at any step.

mod checkpoint;
mod frame;
mod job;
mod kept;
mod logits;
mod resume;
mod run;
mod weights;

pub use checkpoint::CheckpointError;
pub use job::{PackJob, PackMembership};
pub use logits::PackLogits;
pub use run::{PackRun, Status};
pub use weights::Weights;
