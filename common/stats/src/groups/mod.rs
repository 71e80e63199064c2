//! Which groups of patients carry the risk.
//!
//! Groups are formed by attributes, what is missing being a group of its own, and by intersections of two.
//! Three things are compared: who is detected, who is recognisable, and who is among the most exposed.
//! Shares have Wilson intervals. Risk ratios are given twice: as the patients are, and among patients with
//! equally many records, for many records make detection easier and must not pose as a risky group. The p
//! values are of the second kind: outcomes are permuted among patients with equally many records, first for
//! an attribute as a whole, then for its groups, adjusted over the groups of all attributes and
//! intersections. Each of the three outcomes is a question, and a family of tests, of its own.

mod findings;
mod hypergeometric;
mod outcome;
mod partition;
mod permutation;
mod ratio;
mod strata;
mod table;
mod tally;
mod top;
mod urn;

pub use findings::{AttributeResult, Composition, GroupResult, GroupRisk, Omnibus, Ratio, Share};
pub(crate) use tally::check;
pub use tally::{GroupTally, PatientOutcome};
pub use top::{AucCounts, TOP_SHARE};
