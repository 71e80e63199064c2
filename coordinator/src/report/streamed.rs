//! The files that grow with the records, written while the findings are made.

use std::ops::Range;
use std::path::Path;

use umbra_runtime::files::create_private_folder;
use umbra_stats::{AttackKind, RecordTable, Sink, SourceError};

use super::error::ReportError;
use super::output::FindingsFile;
use super::scores::ScoreFiles;
use super::subject::Rows;
use super::tables::RecordsFile;

/// Takes findings while they are made: writes `scores-<attack>.npy` and `records.parquet`, and keeps what
/// the report says of single records. Memory: a row group of the table, and a number a unit.
///
/// The files appear on [`StreamedFiles::finish`]; without it nothing stays behind.
pub struct StreamedFiles<'a> {
    scores: ScoreFiles,
    records: RecordsFile<'a>,
    strongest: Strongest,
}

/// Per unit: the highest binormal AUC of its records, which still tells apart those whose AUC is 1.
#[derive(Debug, Clone)]
pub struct Strongest(Vec<f64>);

impl<'a> StreamedFiles<'a> {
    /// Will write into the folder `dir`, which is created if need be.
    ///
    /// # Errors
    /// If a file cannot be made there.
    pub fn create(dir: &Path, shadows: usize, rows: Rows<'a>) -> Result<Self, ReportError> {
        create_private_folder(dir)?;
        Ok(Self {
            scores: ScoreFiles::create(dir, shadows, rows.source_rows.len())?,
            records: RecordsFile::create(dir, rows)?,
            strongest: Strongest(vec![0.0; rows.unit_names.len()]),
        })
    }

    /// Makes the files durable and puts them in their places.
    ///
    /// # Errors
    /// If a file cannot be written, or records are missing.
    pub fn finish(self) -> Result<(Vec<FindingsFile>, Strongest), ReportError> {
        let mut files = self.scores.finish()?;
        files.push(self.records.commit()?);
        Ok((files, self.strongest))
    }
}

impl Sink for StreamedFiles<'_> {
    fn scores(
        &mut self,
        attack: AttackKind,
        records: Range<usize>,
        scores: &[f64],
    ) -> Result<(), SourceError> {
        self.scores.scores(attack, records, scores)
    }

    fn records(&mut self, first: usize, rows: &RecordTable) -> Result<(), SourceError> {
        self.records.take(first, rows).map_err(SourceError::new)?;
        self.strongest.take(rows);
        Ok(())
    }
}

impl Strongest {
    fn take(&mut self, rows: &RecordTable) {
        for (&unit, &auc) in rows.unit.iter().zip(&rows.binormal_auc) {
            let most = &mut self.0[unit as usize];
            *most = f64::max(*most, auc);
        }
    }

    /// That of a unit; 0 if there is none.
    pub(super) fn of(&self, unit: u32) -> f64 {
        self.0.get(unit as usize).copied().unwrap_or(0.0)
    }
}
