//! The membership-inference statistics of Umbra, pure: logits and membership in, findings out.

#![allow(dead_code)]

mod analysis;
mod config;
mod design;
mod error;
mod inputs;
mod membership;
mod scores;
mod source;

pub use analysis::{
    Analysis, AttackResult, AttributeResult, DetectionLimit, FPR_KEYS, FPRS, Figures, GroupResult,
    PatientSummary, PatientTable, PerTarget, RECOGNISABLE, RecordTable, RocCurve, ShadowUtility, Share,
    Survival, Utility,
};
pub use config::{AttackKind, Config, Counts, Variance};
pub use design::Design;
pub use error::{SourceError, StatsError};
pub use inputs::{Attribute, Inputs};
pub use membership::{Membership, MembershipMatrix};
pub use scores::{MemoryScores, NoScores, ScoreSink};
pub use source::{MemoryLogits, Shape, Tile, TileSource};
