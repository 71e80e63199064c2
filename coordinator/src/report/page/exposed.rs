//! The most exposed patients.

use umbra_stats::Analysis;

use super::super::exposed::Exposure;
use super::super::numbers::{NONE, auc, count, probability};
use super::super::subject::{Rows, Subject};
use super::super::tables::Gathered;
use super::super::words::shown;

/// The list.
pub(super) struct Exposed {
    pub rows: Vec<ExposedRow>,
    pub any_detected: bool,
    pub with_groups: bool,
    /// How many detected patients have the figures of the last row but are not listed.
    pub alike: Option<String>,
}

/// One patient.
pub(super) struct ExposedRow {
    pub unit: String,
    pub records: String,
    pub groups: Vec<(String, String)>,
    pub auc: String,
    pub lower: String,
    pub q: String,
    pub detected: bool,
}

impl Exposed {
    pub fn of(subject: &Subject<'_>, analysis: &Analysis, gathered: &Gathered) -> Self {
        let exposed = &gathered.exposed;
        Self {
            rows: exposed.rows().iter().map(|patient| row(&subject.rows, patient)).collect(),
            any_detected: analysis.summary.detected > 0,
            with_groups: !subject.rows.attributes.is_empty(),
            alike: (exposed.alike() > 0).then(|| count(exposed.alike() as u64)),
        }
    }
}

fn row(rows: &Rows<'_>, patient: &Exposure) -> ExposedRow {
    let unit = patient.unit as usize;
    let groups = rows.attributes.iter().map(|attribute| {
        let level = attribute.values.get(unit).map(|level| shown(&attribute.levels[level as usize], 40));
        (shown(&attribute.name, 40), level.unwrap_or_else(|| "missing".to_owned()))
    });
    ExposedRow {
        unit: shown(&rows.unit_names.name(unit), 60),
        records: count(u64::from(patient.records)),
        groups: groups.collect(),
        auc: auc(patient.auc),
        // The bounds hold for the detected ones alone.
        lower: if patient.detected { auc(patient.auc_lower) } else { NONE.to_owned() },
        q: probability(patient.q),
        detected: patient.detected,
    }
}
