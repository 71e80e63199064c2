//! What an audit is: a data set, a model, a recipe, shadows, queries and statistics, checked as a whole.
//!
//! A [`SpecDraft`] is what a file or a message says; [`AuditSpec::try_new`] is the only way from there to
//! an [`AuditSpec`], and it reports every mistake at once.

mod augment;
mod check;
mod choices;
mod draft;
mod model;
mod shadows;
mod statistics;
mod training;

pub use augment::Augment;
pub use check::{Violation, Violations};
pub use choices::{Attack, Center, Counts, UnknownWord, Variance};
pub use draft::{
    AugmentDraft, ModelDraft, PlacementDraft, QueriesDraft, ShadowsDraft, SpecDraft, StatisticsDraft,
    TrainingDraft,
};
pub use model::Model;
pub use shadows::{Placement, Queries, Shadows};
pub use statistics::Statistics;
pub use training::{Objective, Optimizer, Schedule, Training};

use crate::ids::{AuditName, DatasetName};
use crate::seed::Seed;
use crate::shape::DataShape;

/// A checked specification of one audit.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditSpec {
    name: AuditName,
    seed: Seed,
    dataset: DatasetName,
    model: Model,
    training: Training,
    shadows: Shadows,
    queries: Queries,
    statistics: Statistics,
    placement: Placement,
}

impl AuditSpec {
    /// Checks a draft.
    ///
    /// # Errors
    /// All its mistakes, each with the dotted name of the field.
    pub fn try_new(draft: &SpecDraft) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        let name = wrong.keep("name", AuditName::try_new(draft.name.as_str()));
        let dataset = wrong.keep("dataset.name", DatasetName::try_new(draft.dataset.as_str()));
        let model = Model::check(&draft.model, &mut wrong);
        let training = Training::check(&draft.training, &draft.augment, &mut wrong);
        let shadows = Shadows::check(&draft.shadows, &mut wrong);
        // A recipe with mistakes still tells whether it was meant to vary records.
        let varied = match &training {
            Some(training) => !training.augment().is_none(),
            None => draft.augment != AugmentDraft::default(),
        };
        let queries = Queries::check(&draft.queries, varied, &mut wrong);
        let statistics = Statistics::check(&draft.statistics, &mut wrong);
        let block = shadows.as_ref().map(Shadows::block);
        let placement = Placement::check(&draft.placement, block, &mut wrong);
        if let (Some(model), Some(training)) = (&model, &training)
            && training.dropout() > 0.0
            && !model.has_hidden()
        {
            let message = format!(
                "a model \"{}\" has no hidden units to leave out: leave it out",
                model.architecture()
            );
            wrong.push("training.dropout", message);
        }
        if let (Some(shadows), Some(statistics)) = (&shadows, &statistics)
            && statistics.attacks().contains(&Attack::Rmia)
            && shadows.population() == 0.0
        {
            let message = "rmia compares with records that no shadow was trained on: reserve a share of the units \
                           with shadows.population, such as 0.1, or leave it out";
            wrong.push("statistics.attacks", message);
        }
        match (name, dataset, model, training, shadows, queries, statistics, placement) {
            (
                Some(name),
                Some(dataset),
                Some(model),
                Some(training),
                Some(shadows),
                Some(queries),
                Some(statistics),
                Some(placement),
            ) if wrong.is_empty() => Ok(Self {
                name,
                seed: Seed::new(draft.seed),
                dataset,
                model,
                training,
                shadows,
                queries,
                statistics,
                placement,
            }),
            _ => Err(wrong),
        }
    }

    /// The draft that says exactly this, with every default written out.
    pub fn to_draft(&self) -> SpecDraft {
        SpecDraft {
            name: self.name.to_string(),
            seed: self.seed.reveal(),
            dataset: self.dataset.to_string(),
            model: self.model.to_draft(),
            training: self.training.to_draft(),
            augment: self.training.augment().to_draft(),
            shadows: self.shadows.to_draft(),
            queries: self.queries.to_draft(),
            statistics: self.statistics.to_draft(),
            placement: self.placement.to_draft(),
        }
    }

    /// Checks that the audit fits data of `shape`.
    ///
    /// # Errors
    /// All that does not fit, each with the dotted name of the field.
    pub fn check_shape(&self, shape: &DataShape) -> Result<(), Violations> {
        let mut wrong = Violations::default();
        for part in [self.model.check_shape(shape), self.training.check_shape(shape)] {
            part.err().iter().flat_map(Violations::iter).for_each(|violation| wrong.add(violation.clone()));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The audit's name.
    pub fn name(&self) -> &AuditName {
        &self.name
    }

    /// The root of the seed tree.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// The imported data set.
    pub fn dataset(&self) -> &DatasetName {
        &self.dataset
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The training recipe.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// How many shadows, in which blocks.
    pub fn shadows(&self) -> &Shadows {
        &self.shadows
    }

    /// How records are put to the shadows.
    pub fn queries(&self) -> &Queries {
        &self.queries
    }

    /// Which statistics are computed.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// How the work is cut up; no result depends on it.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }
}

#[cfg(test)]
mod tests;
