//! The most exposed patients.

use std::cmp::Ordering;

use umbra_stats::{Analysis, PatientTable};

use super::super::numbers::{NONE, auc, count, probability};
use super::super::streamed::Strongest;
use super::super::subject::{Rows, Subject};
use super::super::words::shown;

/// How many are listed.
const MOST: usize = 20;

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
    pub fn of(subject: &Subject<'_>, analysis: &Analysis, strongest: &Strongest) -> Self {
        let table = &analysis.patients;
        let order = |a: &usize, b: &usize| by_exposure(table, strongest, *a, *b);
        let mut rows: Vec<usize> = (0..table.auc.len()).filter(|&row| !table.auc[row].is_nan()).collect();
        if rows.len() > MOST {
            rows.select_nth_unstable_by(MOST, order);
        }
        let rest = rows.split_off(MOST.min(rows.len()));
        rows.sort_unstable_by(order);
        let alike = rows.last().map_or(0, |&last| {
            rest.iter().filter(|&&row| table.detected[row] && same_figures(table, last, row)).count()
        });
        Self {
            rows: rows.into_iter().map(|row| exposed(&subject.rows, table, row)).collect(),
            any_detected: analysis.summary.detected > 0,
            with_groups: !subject.rows.attributes.is_empty(),
            alike: (alike > 0).then(|| count(alike as u64)),
        }
    }
}

/// Detected ones first, then by lower bound, AUC and the strongest record; the row decides among equals.
fn by_exposure(table: &PatientTable, strongest: &Strongest, a: usize, b: usize) -> Ordering {
    let apart = |row: usize| strongest.of(table.unit[row]);
    (table.detected[b].cmp(&table.detected[a]))
        .then(bound(table, b).total_cmp(&bound(table, a)))
        .then(table.auc[b].total_cmp(&table.auc[a]))
        .then(apart(b).total_cmp(&apart(a)))
        .then(a.cmp(&b))
}

fn bound(table: &PatientTable, row: usize) -> f64 {
    if table.detected[row] { table.auc_lower[row] } else { -1.0 }
}

fn same_figures(table: &PatientTable, a: usize, b: usize) -> bool {
    bound(table, a) == bound(table, b) && table.auc[a] == table.auc[b]
}

fn exposed(rows: &Rows<'_>, table: &PatientTable, row: usize) -> ExposedRow {
    let unit = table.unit[row] as usize;
    let groups = rows.attributes.iter().map(|attribute| {
        let level = attribute.values[unit].map(|level| shown(&attribute.levels[level as usize], 40));
        (shown(&attribute.name, 40), level.unwrap_or_else(|| "missing".to_owned()))
    });
    ExposedRow {
        unit: shown(&rows.unit_names[unit], 60),
        records: count(u64::from(table.records[row])),
        groups: groups.collect(),
        auc: auc(table.auc[row]),
        // The bounds hold for the detected ones alone.
        lower: if table.detected[row] { auc(table.auc_lower[row]) } else { NONE.to_owned() },
        q: probability(table.q[row]),
        detected: table.detected[row],
    }
}
