//! The membership-inference statistics of Umbra, pure: logits and membership in, findings out.
//!
//! [`analyse`] is the one entry point. It reads the logits of all shadows tile by tile through a
//! [`TileSource`], plays every shadow as the target once, and returns an [`Analysis`] of plain data: how
//! well each attack tells members from non-members, what is known about every record and every patient,
//! and which groups carry the risk. [`provisional`] gives the running figure of an audit that is still
//! under way.
//!
//! Everything is a function of its arguments: no clock, file, environment or global source of random
//! numbers, transcendental functions from one pure-Rust library, and sums in an order that depends
//! neither on the number of threads nor on the tile size.

mod analyse;
mod analysis;
mod anytime;
mod attacks;
mod beta;
mod bounds;
mod config;
mod counts;
mod descending;
mod design;
mod detect;
mod epsilon;
mod error;
mod evidence;
mod extrapolation;
mod fdr;
mod groups;
mod inputs;
mod labels;
mod lanes;
mod layout;
mod limit;
mod log_odds;
mod lost;
mod membership;
mod moments;
mod nulls;
mod order;
mod pairwise;
mod patient;
mod pipeline;
#[cfg(test)]
mod pitfalls;
mod provisional;
mod rank_test;
mod records;
mod references;
mod roc;
mod scratch;
mod signal;
mod sink;
mod sort_key;
mod source;
mod special;
mod subset;
mod survey;
mod survival;
mod sweep;
mod task;
#[cfg(test)]
mod testing;
mod ties;
mod unit_levels;
mod utility;

pub use analyse::{analyse, analyse_into, score_into};
pub use analysis::{
    Analysis, AttackResult, Calibrated, DetectionLimit, EXTRAPOLATED_FPRS, Extrapolation, FPR_KEYS, FPRS,
    Figures, Interval, PatientSummary, PatientTable, PerTarget, RECOGNISABLE, RecordSummary, RecordTable,
    RocCurve, ShadowUtility, Survival, Utility,
};
pub use bounds::{auc_lower_bound, wilson};
pub use config::{AttackKind, Center, Config, Counts, Variance};
pub use design::Design;
pub use detect::Detected;
pub use error::{SourceError, StatsError};
pub use fdr::benjamini_hochberg;
pub use groups::{
    AttributeResult, AucCounts, Composition, GroupResult, GroupRisk, GroupTally, Omnibus, PatientOutcome,
    Ratio, Share, TOP_SHARE,
};
pub use inputs::{Attribute, Inputs, Population};
pub use labels::Labels;
pub use limit::detection_limit;
pub use lost::find_lost;
pub use membership::{Membership, MembershipMatrix};
pub use patient::{PatientTest, PatientTester};
pub use provisional::{Provisional, provisional};
pub use roc::{Roc, ScoreCurves, ScoreFindings, roc};
pub use scratch::{MemoryScratch, Region, Scratch};
pub use sink::{MemoryScores, MemoryTables, NoSink, Sink};
pub use source::{Logits, MemoryLogits, Shape, Tile, TileSource, Values};
pub use subset::Subset;
pub use unit_levels::UnitLevels;
