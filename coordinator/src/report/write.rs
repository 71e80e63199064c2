//! The output folder.

use std::path::Path;

use umbra_runtime::files::create_private_folder;
use umbra_stats::Analysis;

use super::error::ReportError;
use super::output::{FindingsFile, write_bytes};
use super::run::RunFacts;
use super::streamed::Strongest;
use super::subject::{Subject, Tables};
use super::{npy, page, run, summary, tables};

/// Writes `membership.npy`, `report.html`, `run.json`, `patients.parquet` and, last, `summary.json` into the
/// folder `dir`, which is created if need be; after [`super::StreamedFiles::finish`], which told the
/// `strongest` records. Every file appears whole or not at all; where there is a `summary.json`, the others
/// are there.
///
/// # Errors
/// If a file cannot be written, or the analysis is not one of this audit.
pub fn write_all(
    dir: &Path,
    subject: &Subject<'_>,
    analysis: &Analysis,
    strongest: &Strongest,
    run: &RunFacts,
) -> Result<Vec<FindingsFile>, ReportError> {
    subject.check(analysis)?;
    create_private_folder(dir)?;
    let mut files = vec![
        npy::write_membership(dir, subject.membership, subject.rows.record_units)?,
        write_bytes(dir, "report.html", page::report_html(subject, analysis, strongest)?.as_bytes())?,
        write_bytes(dir, "run.json", &run::run_json(run)?)?,
    ];
    files.extend(write_tables(dir, &subject.tables(), analysis)?);
    Ok(files)
}

/// Writes `patients.parquet` and, last, `summary.json` into the folder `dir`, which is created if need be;
/// after [`super::StreamedFiles::finish`].
///
/// # Errors
/// If a file cannot be written, or an index of the analysis has no name.
pub fn write_tables(
    dir: &Path,
    tables: &Tables<'_>,
    analysis: &Analysis,
) -> Result<Vec<FindingsFile>, ReportError> {
    tables.check(analysis)?;
    create_private_folder(dir)?;
    Ok(vec![
        tables::write_patients(dir, &tables.rows, analysis)?,
        write_bytes(dir, "summary.json", &summary::summary_json(tables, analysis)?)?,
    ])
}
