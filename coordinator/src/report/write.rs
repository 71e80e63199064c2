//! The output folder.

use std::path::Path;

use umbra_runtime::files::create_private_folder;
use umbra_stats::Analysis;

use super::error::ReportError;
use super::output::{FindingsFile, write_bytes};
use super::run::RunFacts;
use super::subject::{Subject, Tables};
use super::tables::Gathered;
use super::{npy, page, run, summary};

/// Writes `membership.npy`, `report.html`, `run.json` and, last, `summary.json` into the folder `dir`, which
/// is created if need be; tables and scores are there by then ([`super::FindingsFiles`]). Every file appears
/// whole or not at all; where there is a `summary.json`, the others are there.
///
/// # Errors
/// If a file cannot be written, or the analysis is not one of this audit.
pub fn write_all(
    dir: &Path,
    subject: &Subject<'_>,
    analysis: &Analysis,
    gathered: &Gathered,
    run: &RunFacts,
) -> Result<Vec<FindingsFile>, ReportError> {
    subject.check(analysis)?;
    create_private_folder(dir)?;
    Ok(vec![
        npy::write_membership(dir, subject.membership, subject.record_units)?,
        write_bytes(dir, "report.html", page::report_html(subject, analysis, gathered)?.as_bytes())?,
        write_bytes(dir, "run.json", &run::run_json(run)?)?,
        write_summary(dir, &subject.tables(), analysis)?,
    ])
}

/// Writes `summary.json` into the folder `dir`: the last file of findings, and the sign that all others are
/// there.
///
/// # Errors
/// If it cannot be written, or the analysis is not one of these shadows.
pub fn write_summary(
    dir: &Path,
    tables: &Tables<'_>,
    analysis: &Analysis,
) -> Result<FindingsFile, ReportError> {
    tables.check(analysis)?;
    Ok(write_bytes(dir, "summary.json", &summary::summary_json(tables, analysis)?)?)
}
