//! What an analysis is made from, and its checks.

use umbra_core::seed::Seed;

use crate::design::{Blocks, Design};
use crate::error::StatsError;
use crate::membership::Membership;
use crate::scratch::Scratch;
use crate::source::{Shape, TileSource};

/// A property of the units that groups are formed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, such as a column's.
    pub name: String,
    /// The level of every unit, an index into `levels`; `None` is missing, a group of its own.
    pub values: Vec<Option<u32>>,
    /// The names of the levels.
    pub levels: Vec<String>,
}

/// All that an analysis is a function of, besides its [`crate::Config`].
///
/// Records of units that no shadow may train on (a reserved population) are left out.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The logits: with one logit a query the model is a sigmoid for label 1, otherwise a softmax.
    pub source: &'a dyn TileSource,
    /// The label of every record: below the number of classes, or 0 / 1 for a single logit.
    pub labels: &'a [u32],
    /// The unit of every record.
    pub units: &'a [u32],
    /// Which shadow was trained on which unit.
    pub membership: Membership<'a>,
    /// How membership was drawn, and which shadows were lost.
    pub design: &'a Design,
    /// What groups are formed by; may be empty.
    pub attributes: &'a [Attribute],
    /// The audit's seed, from which the permutations come.
    pub seed: &'a Seed,
}

/// Inputs that were found consistent.
pub(crate) struct Checked<'a> {
    pub source: &'a dyn TileSource,
    pub shape: Shape,
    pub labels: &'a [u32],
    pub units: &'a [u32],
    pub membership: Membership<'a>,
    pub blocks: Blocks,
    /// Room for what does not fit in memory.
    #[allow(dead_code, reason = "lent to whoever needs it")]
    pub scratch: &'a dyn Scratch,
}

impl<'a> Inputs<'a> {
    pub(crate) fn check(&self, scratch: &'a dyn Scratch) -> Result<Checked<'a>, StatsError> {
        let wrong = |sentence: String| Err(StatsError::Inputs(sentence));
        let shape = self.source.shape();
        if shape.records == 0 || shape.queries == 0 || shape.classes == 0 {
            return wrong(format!(
                "the logits are {} records x {} queries x {} classes; there is nothing to analyse",
                shape.records, shape.queries, shape.classes
            ));
        }
        if self.labels.len() != shape.records || self.units.len() != shape.records {
            return wrong(format!(
                "there are logits of {} records, but {} labels and {} units; give one of each per record",
                shape.records,
                self.labels.len(),
                self.units.len()
            ));
        }
        if self.membership.shadows() != shape.shadows {
            return wrong(format!(
                "there are logits of {} shadows, but membership of {}",
                shape.shadows,
                self.membership.shadows()
            ));
        }
        let classes = shape.classes.max(2) as u32;
        if let Some(record) = self.labels.iter().position(|&label| label >= classes) {
            return wrong(format!(
                "record {record} has label {}, but the logits know {classes} classes only",
                self.labels[record]
            ));
        }
        if let Some(record) = self.units.iter().position(|&unit| unit as usize >= self.membership.units()) {
            return wrong(format!(
                "record {record} belongs to unit {}, but membership knows {} units only",
                self.units[record],
                self.membership.units()
            ));
        }
        for attribute in self.attributes {
            if attribute.values.len() != self.membership.units() {
                return wrong(format!(
                    "attribute '{}' has {} values for {} units; give one per unit",
                    attribute.name,
                    attribute.values.len(),
                    self.membership.units()
                ));
            }
            if let Some(level) =
                attribute.values.iter().flatten().find(|&&level| level as usize >= attribute.levels.len())
            {
                return wrong(format!(
                    "attribute '{}' has a value {level}, but {} levels only",
                    attribute.name,
                    attribute.levels.len()
                ));
            }
        }
        let blocks = self.design.resolve(shape.shadows)?;
        blocks.check(&self.membership)?;
        Ok(Checked {
            source: self.source,
            shape,
            labels: self.labels,
            units: self.units,
            membership: self.membership,
            blocks,
            scratch,
        })
    }
}
