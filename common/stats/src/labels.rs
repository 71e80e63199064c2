//! What is true of every record: its class, or which of several labels hold.

use crate::error::StatsError;
use crate::source::Shape;

/// The labels of all records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels<'a> {
    /// One class a record: below the number of classes, or 0 / 1 for a single logit.
    Class(&'a [u32]),
    /// Several labels a record, `[record][label]`, one logit (a sigmoid) each: 1 holds, 0 does not,
    /// [`Labels::MISSING`] is not known and contributes to nothing.
    Multi(&'a [u8]),
}

/// What is true of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label<'a> {
    Class(usize),
    Multi(&'a [u8]),
}

impl<'a> Labels<'a> {
    /// The mark of a label that is not known.
    pub const MISSING: u8 = 255;

    /// Number of records, given the logits per query.
    pub fn records(&self, classes: usize) -> usize {
        match self {
            Labels::Class(labels) => labels.len(),
            Labels::Multi(labels) => labels.len() / classes.max(1),
        }
    }

    /// Signals per query: one, or one a label.
    pub(crate) fn channels(&self, shape: &Shape) -> usize {
        match self {
            Labels::Class(_) => 1,
            Labels::Multi(_) => shape.classes,
        }
    }

    /// What is true of `record`.
    pub(crate) fn of(&self, shape: &Shape, record: usize) -> Label<'a> {
        match self {
            Labels::Class(labels) => Label::Class(labels[record] as usize),
            Labels::Multi(labels) => Label::Multi(&labels[record * shape.classes..][..shape.classes]),
        }
    }

    /// The number that tables show: the class, or how many labels hold.
    pub(crate) fn figure(&self, shape: &Shape, record: usize) -> u32 {
        match self.of(shape, record) {
            Label::Class(class) => class as u32,
            Label::Multi(labels) => labels.iter().map(|&label| u32::from(label == 1)).sum(),
        }
    }

    /// Checks that there is one label, or one set of labels, per record, each of which exists; `whose` begins
    /// the name of the records.
    pub(crate) fn check(&self, shape: &Shape, whose: &str) -> Result<(), StatsError> {
        let classes = shape.classes;
        let (given, needed) = match self {
            Labels::Class(labels) => (labels.len(), shape.records),
            Labels::Multi(labels) => (labels.len(), shape.records.saturating_mul(classes)),
        };
        if given != needed {
            let each = match self {
                Labels::Class(_) => "one per record".to_owned(),
                Labels::Multi(_) => format!("{classes} per record, one for every logit"),
            };
            return Err(StatsError::Inputs(format!(
                "there are logits of {} {whose}records, but {given} labels; give {each}",
                shape.records
            )));
        }
        match self {
            Labels::Class(labels) => {
                let known = classes.max(2);
                match labels.iter().position(|&label| label as usize >= known) {
                    Some(record) => Err(StatsError::Inputs(format!(
                        "{whose}record {record} has label {}, but the logits know {known} classes \
                         only; count classes from 0",
                        labels[record]
                    ))),
                    None => Ok(()),
                }
            }
            Labels::Multi(labels) => {
                match labels.iter().position(|&label| label > 1 && label != Self::MISSING) {
                    Some(place) => Err(StatsError::Inputs(format!(
                        "{whose}record {} has {} for label {}; give 1 where it holds, 0 where it does \
                         not, {} where it is not known",
                        place / classes,
                        labels[place],
                        place % classes,
                        Self::MISSING
                    ))),
                    None => Ok(()),
                }
            }
        }
    }
}
