//! All that is written while an analysis runs.

use std::ops::Range;
use std::path::Path;

use umbra_stats::{AttackKind, PatientTable, RecordTable, Sink, SourceError};

use super::error::ReportError;
use super::output::FindingsFile;
use super::scores::ScoreFiles;
use super::subject::Rows;
use super::tables::{Gathered, TableFiles};

/// The scores and both tables: the sink of an audit and of attacks on logits from elsewhere.
pub struct FindingsFiles<'a> {
    scores: ScoreFiles,
    tables: TableFiles<'a>,
}

impl<'a> FindingsFiles<'a> {
    /// Begins the files in the folder `dir`, which is created if need be.
    ///
    /// # Errors
    /// If they cannot be created, or the names contradict each other.
    pub fn create(dir: &Path, shadows: usize, rows: Rows<'a>) -> Result<Self, ReportError> {
        let tables = TableFiles::create(dir, rows)?;
        Ok(Self { scores: ScoreFiles::create(dir, shadows, rows.source_rows.count())?, tables })
    }

    /// Makes the files durable and puts them in their places.
    ///
    /// # Errors
    /// If a file cannot be written, or rows are missing.
    pub fn finish(self) -> Result<(Vec<FindingsFile>, Gathered), ReportError> {
        let (mut files, gathered) = self.tables.finish()?;
        files.extend(self.scores.finish()?);
        Ok((files, gathered))
    }
}

impl Sink for FindingsFiles<'_> {
    fn scores(
        &mut self,
        attack: AttackKind,
        records: Range<usize>,
        scores: &[f64],
    ) -> Result<(), SourceError> {
        self.scores.scores(attack, records, scores)
    }

    fn records(&mut self, first: usize, rows: &RecordTable) -> Result<(), SourceError> {
        self.tables.records(first, rows)
    }

    fn patients(&mut self, first: usize, rows: &PatientTable) -> Result<(), SourceError> {
        self.tables.patients(first, rows)
    }
}
