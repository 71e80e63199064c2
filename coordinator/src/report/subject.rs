//! What a report is about: plain facts, borrowed from whoever has them.

use umbra_core::digest::Digest;
use umbra_core::ids::AuditId;
use umbra_core::keys::FindingsKey;
use umbra_core::membership::Membership;
use umbra_core::plan::DataShape;
use umbra_core::spec::AuditSpec;
use umbra_stats::{Analysis, Attribute};

use super::error::ReportError;

/// The data set that was audited.
#[derive(Debug, Clone, Copy)]
pub struct Dataset<'a> {
    /// Its name.
    pub name: &'a str,
    /// The digest of its canonical encoding.
    pub digest: Digest,
    /// Its encoded shape; `features` counts numbers after encoding.
    pub shape: DataShape,
    /// The column that is predicted.
    pub label: &'a str,
    /// The column that names the patients; `None` if every record is a unit of its own.
    pub unit: Option<&'a str>,
}

/// The names behind the indices of an analysis.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Per record: its 0-based row in the source file.
    pub source_rows: &'a [u64],
    /// Per record: its unit.
    pub record_units: &'a [u32],
    /// Per unit: its name, as the source file writes it.
    pub unit_names: &'a [String],
    /// Per class: its name, as the source file writes it.
    pub class_names: &'a [String],
    /// What groups are formed by; one value per unit.
    pub attributes: &'a [Attribute],
}

/// All that `summary.json` and the tables need: an audit has it, and so has a matrix of logits from
/// elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    /// The names behind the indices.
    pub rows: Rows<'a>,
    /// How many shadows.
    pub shadows: u32,
    /// Shadows per block; `None` where membership was not drawn in blocks.
    pub block: Option<u32>,
    /// Shadows that gave no signals, ascending.
    pub lost: &'a [u32],
    /// The false discovery rate.
    pub fdr: f64,
    /// The data set, where there is one.
    pub dataset: Option<Dataset<'a>>,
}

/// All that the report of an audit needs besides its analysis. Nothing in it depends on when, where or by
/// whom the work was done.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The audit.
    pub audit: &'a AuditId,
    /// What was asked for.
    pub spec: &'a AuditSpec,
    /// What it was asked of.
    pub dataset: Dataset<'a>,
    /// The names behind the indices.
    pub rows: Rows<'a>,
    /// Which shadow trained on which unit.
    pub membership: &'a Membership,
    /// The numerics class of the training.
    pub numerics: &'a str,
    /// Optimiser steps of every shadow.
    pub steps: u64,
    /// Shadows that gave no signals, ascending.
    pub lost: &'a [u32],
    /// Names the findings.
    pub findings: FindingsKey,
}

impl<'a> Subject<'a> {
    /// The part that the tables need.
    pub fn tables(&self) -> Tables<'a> {
        Tables {
            rows: self.rows,
            shadows: self.spec.shadows().count(),
            block: Some(self.spec.shadows().block()),
            lost: self.lost,
            fdr: self.spec.statistics().fdr(),
            dataset: Some(self.dataset),
        }
    }

    /// Checks that an analysis belongs to this audit.
    pub(super) fn check(&self, analysis: &Analysis) -> Result<(), ReportError> {
        self.tables().check(analysis)?;
        let (columns, units) = (self.membership.units(), self.rows.unit_names.len());
        expect(columns == units, || format!("membership of {columns} units, names of {units}"))?;
        let (given, asked) = (self.membership.shadows(), self.spec.shadows().count());
        expect(given == asked, || format!("membership of {given} shadows, {asked} were asked for"))
    }
}

impl Tables<'_> {
    /// Checks that every index of an analysis has its name.
    pub(super) fn check(&self, analysis: &Analysis) -> Result<(), ReportError> {
        let rows = &self.rows;
        let units = rows.unit_names.len();
        let (found, count) = (analysis.records.records, rows.source_rows.len());
        expect(found == count, || format!("findings about {found} records, names of {count}"))?;
        same_lengths("records", count, &[rows.record_units.len()])?;
        let p = &analysis.patients;
        let lengths = [
            p.unit.len(),
            p.records.len(),
            p.auc.len(),
            p.p.len(),
            p.q.len(),
            p.detected.len(),
            p.auc_lower.len(),
        ];
        same_lengths("units", units, &lengths)?;
        let wrong = p.unit.iter().find(|&&unit| unit as usize >= units);
        expect(wrong.is_none(), || format!("unit {}, names of {units}", wrong.unwrap_or(&0)))?;
        for attribute in rows.attributes {
            let (name, values) = (&attribute.name, attribute.values.len());
            expect(values == units, || format!("{values} values of '{name}' for {units} units"))?;
            let levels = attribute.levels.len();
            let known = attribute.values.iter().flatten().all(|&level| (level as usize) < levels);
            expect(known, || format!("a value of '{name}' has no name"))?;
        }
        let (found, shadows) = (analysis.utility.len(), self.shadows as usize);
        expect(found == shadows, || format!("utility of {found} shadows, there are {shadows}"))
    }
}

fn same_lengths(what: &str, expected: usize, lengths: &[usize]) -> Result<(), ReportError> {
    let wrong = lengths.iter().find(|&&length| length != expected);
    expect(wrong.is_none(), || {
        format!("a column of {} {what}, names of {expected}", wrong.unwrap_or(&expected))
    })
}

pub(super) fn expect(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), ReportError> {
    if holds { Ok(()) } else { Err(ReportError::Mismatch(sentence())) }
}
