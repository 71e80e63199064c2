//! The records of units that no shadow was trained on.

use umbra_core::membership::Membership;
use umbra_core::spec::{Attack, AuditSpec};
use umbra_data::Dataset;
use umbra_stats::{Population, SourceError, Subset};

use super::labels::Picked;
use super::source::PackedLogits;

/// What the robust attack compares with.
pub(super) struct Reserved {
    rows: Vec<u32>,
    labels: Picked,
}

impl Reserved {
    /// The reserved records of an audit; none where no attack asks for them.
    ///
    /// # Errors
    /// A sentence, if chance has reserved no unit.
    pub(super) fn of(
        spec: &AuditSpec,
        dataset: &Dataset,
        membership: &Membership,
    ) -> Result<Option<Self>, String> {
        if !spec.statistics().attacks().contains(&Attack::Rmia) {
            return Ok(None);
        }
        let units = (0u32..).zip(dataset.record_units());
        let reserved = units.filter(|(_, unit)| membership.is_reserved(**unit as usize));
        let rows: Vec<u32> = reserved.map(|(row, _)| row).collect();
        if rows.is_empty() {
            return Err(format!(
                "chance has reserved none of {} units for rmia: use a larger shadows.population or another seed",
                membership.units()
            ));
        }
        Ok(Some(Self { labels: Picked::of(dataset, &rows), rows }))
    }

    /// Their logits among all.
    pub(super) fn source<'a>(&'a self, whole: &'a PackedLogits) -> Result<Subset<'a>, SourceError> {
        Subset::try_new(whole, &self.rows)
    }

    /// The population with these logits.
    pub(super) fn population<'a>(&'a self, source: &'a Subset<'a>) -> Population<'a> {
        Population { source, labels: self.labels.view() }
    }
}
