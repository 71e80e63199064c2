//! What a report is about: plain facts, borrowed from whoever has them.

use umbra_core::digest::Digest;
use umbra_core::ids::AuditId;
use umbra_core::keys::FindingsKey;
use umbra_core::membership::Membership;
use umbra_core::shape::DataShape;
use umbra_core::spec::AuditSpec;
use umbra_stats::{Analysis, Attribute, Config};

use super::error::ReportError;
use super::names::{LabelNames, Names, SourceRows};

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
    /// The classes, as the source file writes them.
    pub classes: &'a [String],
    /// The column that names the patients; `None` if every record is a unit of its own.
    pub unit: Option<&'a str>,
}

/// The names behind the indices of an analysis.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Per record: its 0-based row in the source file.
    pub source_rows: SourceRows<'a>,
    /// Per unit: its name, as the source file writes it.
    pub unit_names: &'a dyn Names,
    /// The labels, as the source file writes them.
    pub labels: LabelNames<'a>,
    /// What groups are formed by; one value per unit.
    pub attributes: &'a [Attribute],
}

/// All that `summary.json` and the tables need: an audit has it, and so has a matrix of logits from
/// elsewhere.
#[derive(Debug, Clone)]
pub struct Tables<'a> {
    /// The names behind the indices.
    pub rows: Rows<'a>,
    /// How many shadows.
    pub shadows: u32,
    /// How membership was drawn.
    pub design: DesignWords,
    /// Shadows that gave no signals, ascending.
    pub lost: &'a [u32],
    /// What was computed, and how.
    pub config: &'a Config,
    /// The data set, where there is one.
    pub dataset: Option<Dataset<'a>>,
}

/// How membership was drawn, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesignWords {
    /// The design's name, such as `blocks:16`.
    pub name: String,
    /// Shadows per block; `None` where membership was not drawn in blocks.
    pub block: Option<u32>,
    /// How it is known, a sentence.
    pub explanation: String,
    /// What to know before relying on p values, a sentence each; usually nothing.
    pub warnings: Vec<String>,
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
    /// The unit of every record.
    pub record_units: &'a [u32],
    /// Which shadow trained on which unit.
    pub membership: &'a Membership,
    /// The statistics as they were computed.
    pub config: &'a Config,
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
    /// Units that no shadow was trained on.
    pub(super) fn reserved(&self) -> usize {
        (0..self.membership.units()).filter(|&unit| self.membership.is_reserved(unit)).count()
    }

    /// The part that the tables need.
    pub fn tables(&self) -> Tables<'a> {
        let block = self.spec.shadows().block();
        let explanation =
            format!("drawn for every unit alone: each is in exactly half of every block of {block} shadows");
        Tables {
            rows: self.rows,
            shadows: self.spec.shadows().count(),
            design: DesignWords {
                name: format!("blocks:{block}"),
                block: Some(block),
                explanation,
                warnings: Vec::new(),
            },
            lost: self.lost,
            config: self.config,
            dataset: Some(self.dataset),
        }
    }

    /// Checks that an analysis belongs to this audit.
    pub(super) fn check(&self, analysis: &Analysis) -> Result<(), ReportError> {
        self.tables().check(analysis)?;
        let (columns, units) = (self.membership.units(), self.rows.unit_names.count());
        expect(columns == units, || format!("membership of {columns} units, names of {units}"))?;
        let (given, rows) = (self.record_units.len(), self.rows.source_rows.count());
        expect(given == rows, || format!("units of {given} records, rows of {rows}"))?;
        self.rows.check_units(self.record_units)?;
        let (given, asked) = (self.membership.shadows(), self.spec.shadows().count());
        expect(given == asked, || format!("membership of {given} shadows, {asked} were asked for"))
    }
}

impl Tables<'_> {
    /// Checks that an analysis is of these shadows.
    pub(super) fn check(&self, analysis: &Analysis) -> Result<(), ReportError> {
        self.rows.check()?;
        let (found, records) = (analysis.records.records, self.rows.source_rows.count());
        expect(found == records, || format!("findings about {found} records, names of {records}"))?;
        let (found, shadows) = (analysis.utility.len(), self.shadows as usize);
        expect(found == shadows, || format!("utility of {found} shadows, there are {shadows}"))
    }
}

impl Rows<'_> {
    /// Checks that the names do not contradict each other.
    pub(super) fn check(&self) -> Result<(), ReportError> {
        let (units, records) = (self.unit_names.count(), self.source_rows.count());
        for attribute in self.attributes {
            let (name, values) = (&attribute.name, attribute.values.len());
            expect(values == units, || format!("{values} values of '{name}' for {units} units"))?;
            let levels = attribute.levels.len();
            let known = attribute.values.iter().flatten().all(|level| (level as usize) < levels);
            expect(known, || format!("a value of '{name}' has no name"))?;
        }
        match self.labels {
            LabelNames::Several(labels, each) => expect(labels.len() == records * each, || {
                format!("{} labels, {each} each, of {records} records", labels.len())
            }),
            LabelNames::Classes(_) => Ok(()),
        }
    }

    /// Checks that every unit has its name.
    pub(super) fn check_units(&self, units: &[u32]) -> Result<(), ReportError> {
        in_range("unit", units, self.unit_names.count())
    }

    /// Checks that every class has its name.
    pub(super) fn check_classes(&self, classes: &[u32]) -> Result<(), ReportError> {
        match self.labels {
            LabelNames::Classes(names) => in_range("label", classes, names.count()),
            LabelNames::Several(..) => Ok(()),
        }
    }
}

fn in_range(what: &str, values: &[u32], end: usize) -> Result<(), ReportError> {
    let wrong = values.iter().find(|&&value| value as usize >= end);
    expect(wrong.is_none(), || format!("a record of {what} {}, names of {end}", wrong.unwrap_or(&0)))
}

fn expect(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), ReportError> {
    if holds { Ok(()) } else { Err(ReportError::Mismatch(sentence())) }
}
