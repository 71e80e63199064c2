//! What an analysis is made from, and its checks.

use umbra_core::seed::Seed;

use crate::design::{Blocks, Design};
use crate::error::StatsError;
use crate::labels::Labels;
use crate::membership::Membership;
use crate::order::Order;
use crate::scratch::Scratch;
use crate::source::{Shape, TileSource};
use crate::unit_levels::UnitLevels;

/// A property of the units that groups are formed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, such as a column's.
    pub name: String,
    /// The level of every unit, an index into `levels`; what is missing is a group of its own.
    pub values: UnitLevels,
    /// The names of the levels.
    pub levels: Vec<String>,
}

/// Records that no shadow was trained on: what the robust attack compares with. Of more than 2^22 / shadows
/// records every second, third ... one is taken, as many as that makes.
#[derive(Clone, Copy)]
pub struct Population<'a> {
    /// The logits, of the same shadows, queries and classes as the audit's. If they are records of the same
    /// matrix, a [`crate::Subset`] shows them.
    pub source: &'a dyn TileSource,
    /// Their labels, of the same kind as the audit's.
    pub labels: Labels<'a>,
}

/// All that an analysis is a function of, besides its [`crate::Config`].
///
/// Units that no shadow was trained on (a reserved population) fit every design; they are not tested, and
/// their records score only where an attack needs no IN reference.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The logits: sigmoids where `labels` are several a record; else, with one logit a query, a sigmoid
    /// for label 1; otherwise a softmax.
    pub source: &'a dyn TileSource,
    /// What is true of every record.
    pub labels: Labels<'a>,
    /// The unit of every record.
    pub units: &'a [u32],
    /// Which shadow was trained on which unit.
    pub membership: Membership<'a>,
    /// How membership was drawn, and which shadows were lost.
    pub design: &'a Design,
    /// Records that no shadow was trained on; only [`crate::AttackKind::Rmia`] needs them.
    pub population: Option<Population<'a>>,
    /// What groups are formed by; may be empty.
    pub attributes: &'a [Attribute],
    /// The audit's seed, from which the permutations come.
    pub seed: &'a Seed,
}

/// Inputs that were found consistent.
pub(crate) struct Checked<'a> {
    pub source: &'a dyn TileSource,
    pub shape: Shape,
    pub labels: Labels<'a>,
    pub units: &'a [u32],
    /// In order, as are the blocks with what is lost.
    pub membership: Membership<'a>,
    /// That of everything by shadow, between where logits come in and scores go out.
    pub order: Order,
    pub blocks: Blocks,
    /// Room for what does not fit in memory.
    pub scratch: &'a dyn Scratch,
    pub population: Option<Population<'a>>,
}

impl<'a> Inputs<'a> {
    pub(crate) fn check(&self, scratch: &'a dyn Scratch) -> Result<Checked<'a>, StatsError> {
        let shape = self.source.shape();
        let Shape { shadows, records, queries, classes } = shape;
        if shape.per_record() == 0 || records == 0 {
            return wrong(format!(
                "the logits are {shadows} shadows x {records} records x {queries} queries x {classes} \
                 classes; there is nothing to analyse"
            ));
        }
        if u32::try_from(records).is_err() || u32::try_from(self.membership.units()).is_err() {
            return wrong(format!("{records} records are more than can be counted; give fewer than 2^32"));
        }
        self.labels.check(&shape, "")?;
        if self.units.len() != records {
            return wrong(format!(
                "there are logits of {records} records, but {} units; give one per record",
                self.units.len()
            ));
        }
        if self.membership.shadows() != shadows {
            return wrong(format!(
                "there are logits of {shadows} shadows, but membership of {}; give both of the same shadows",
                self.membership.shadows()
            ));
        }
        let units = self.membership.units();
        if let Some(record) = self.units.iter().position(|&unit| unit as usize >= units) {
            return wrong(format!(
                "record {record} belongs to unit {}, but membership knows {units} units only; give \
                 membership of every unit",
                self.units[record]
            ));
        }
        self.attributes.iter().try_for_each(|attribute| check_attribute(attribute, units))?;
        if let Some(population) = &self.population {
            check_population(population, &shape, self.labels)?;
        }
        let mut blocks = self.design.resolve(shadows)?;
        let order = self.design.order(&self.membership);
        let membership = self.membership.in_order(order);
        blocks.check(&membership)?;
        blocks.lost = order.sorted(&blocks.lost);
        Ok(Checked {
            source: self.source,
            shape,
            labels: self.labels,
            units: self.units,
            membership,
            order,
            blocks,
            scratch,
            population: self.population,
        })
    }
}

fn wrong<T>(sentence: String) -> Result<T, StatsError> {
    Err(StatsError::Inputs(sentence))
}

fn check_attribute(attribute: &Attribute, units: usize) -> Result<(), StatsError> {
    let Attribute { name, values, levels } = attribute;
    if values.len() != units {
        return wrong(format!(
            "attribute '{name}' has {} values for {units} units; give one per unit",
            values.len()
        ));
    }
    match values.iter().flatten().find(|&level| level as usize >= levels.len()) {
        Some(level) => wrong(format!(
            "attribute '{name}' has a value {level}, but {} levels only; name every level",
            levels.len()
        )),
        None => Ok(()),
    }
}

fn check_population(
    population: &Population<'_>,
    audit: &Shape,
    labels: Labels<'_>,
) -> Result<(), StatsError> {
    let shape = population.source.shape();
    if (Shape { records: audit.records, ..shape }) != *audit {
        return wrong(format!(
            "the population's logits are of {} shadows, {} queries and {} classes, the audit's of {}, {} and \
             {}; query the same shadows in the same way about both",
            shape.shadows, shape.queries, shape.classes, audit.shadows, audit.queries, audit.classes
        ));
    }
    if shape.records == 0 {
        return wrong("the population has no records; give some, or none at all".to_owned());
    }
    if std::mem::discriminant(&population.labels) != std::mem::discriminant(&labels) {
        return wrong(
            "the population's labels are of another kind than the audit's; give one class per record, or \
             several labels per record, for both"
                .to_owned(),
        );
    }
    population.labels.check(&shape, "population ")
}

impl Checked<'_> {
    /// Whether there are just two classes, so that the task has a ROC curve.
    pub fn two_classes(&self) -> bool {
        matches!(self.labels, Labels::Class(_)) && self.shape.classes <= 2
    }
}
