//! `scores-<attack>.npy`, written while the scores are computed.

use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use umbra_runtime::files::FileError;
use umbra_stats::{AttackKind, Sink, SourceError};

use super::npy;
use super::output::{Draft, FindingsFile};

/// Streams the scores of every attack into its file, f64 `[shadows, records]`: row t has shadow t as the
/// target, higher means more likely a member, absent is NaN. Memory: one row of one tile.
///
/// The files appear on [`ScoreFiles::finish`]; without it nothing stays behind.
#[derive(Debug)]
pub struct ScoreFiles {
    dir: PathBuf,
    shadows: usize,
    records: usize,
    open: Vec<ScoreFile>,
}

#[derive(Debug)]
struct ScoreFile {
    attack: AttackKind,
    draft: Draft,
    /// Length of the header.
    start: u64,
    /// Records before this one are written.
    next: usize,
}

impl ScoreFiles {
    /// Will write into the folder `dir`, which is created if need be.
    ///
    /// # Errors
    /// If there is no such folder and none can be made.
    pub fn create(dir: &Path, shadows: usize, records: usize) -> Result<Self, FileError> {
        umbra_runtime::files::create_private_folder(dir)?;
        Ok(Self { dir: dir.to_owned(), shadows, records, open: Vec::new() })
    }

    /// Makes the files durable and puts them in their places.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn finish(self) -> Result<Vec<FindingsFile>, FileError> {
        let (shadows, records) = (self.shadows, self.records);
        let finish = |mut file: ScoreFile| {
            file.fill_to(records, shadows, records)?;
            file.draft.commit()
        };
        self.open.into_iter().map(finish).collect()
    }

    fn file(&mut self, attack: AttackKind) -> Result<&mut ScoreFile, FileError> {
        let index = match self.open.iter().position(|file| file.attack == attack) {
            Some(index) => index,
            None => {
                let draft = Draft::create(&self.dir, &format!("scores-{attack}.npy"))?;
                let header = npy::header("<f8", self.shadows, self.records);
                draft.file().write_all(&header).map_err(|source| draft.write_error(source))?;
                self.open.push(ScoreFile { attack, draft, start: header.len() as u64, next: 0 });
                self.open.len() - 1
            }
        };
        Ok(&mut self.open[index])
    }
}

impl ScoreFile {
    /// Writes the columns `range` of the matrix, row by row.
    fn put<'s>(
        &mut self,
        records: usize,
        range: Range<usize>,
        rows: impl Iterator<Item = &'s [f64]>,
    ) -> Result<(), FileError> {
        let mut bytes = Vec::with_capacity(range.len() * 8);
        let mut file = self.draft.file();
        for (shadow, row) in rows.enumerate() {
            bytes.clear();
            bytes.extend(row.iter().flat_map(|score| canonical(*score).to_le_bytes()));
            let cell = shadow as u64 * records as u64 + range.start as u64;
            let written =
                file.seek(SeekFrom::Start(self.start + 8 * cell)).and_then(|_| file.write_all(&bytes));
            written.map_err(|source| self.draft.write_error(source))?;
        }
        self.next = range.end;
        Ok(())
    }

    /// Marks the records up to `end` that nobody scored as absent.
    fn fill_to(&mut self, end: usize, shadows: usize, records: usize) -> Result<(), FileError> {
        while self.next < end {
            let range = self.next..end.min(self.next + (1 << 16));
            let absent = vec![f64::NAN; range.len()];
            self.put(records, range, std::iter::repeat_n(&absent[..], shadows))?;
        }
        Ok(())
    }
}

impl Sink for ScoreFiles {
    fn scores(
        &mut self,
        attack: AttackKind,
        records: Range<usize>,
        scores: &[f64],
    ) -> Result<(), SourceError> {
        let (shadows, total) = (self.shadows, self.records);
        let fits = records.start <= records.end
            && records.end <= total
            && Some(scores.len()) == shadows.checked_mul(records.len());
        if !fits {
            let sentence = format!("{} scores for records {records:?} of {total}", scores.len());
            return Err(SourceError::new(io::Error::new(io::ErrorKind::InvalidInput, sentence)));
        }
        if records.is_empty() {
            return Ok(());
        }
        let file = self.file(attack).map_err(SourceError::new)?;
        if records.start < file.next {
            let sentence = format!("record {} came twice or too late", records.start);
            return Err(SourceError::new(io::Error::new(io::ErrorKind::InvalidInput, sentence)));
        }
        file.fill_to(records.start, shadows, total).map_err(SourceError::new)?;
        let rows = scores.chunks_exact(records.len());
        file.put(total, records.clone(), rows).map_err(SourceError::new)
    }
}

/// One NaN for all absent scores, so that equal findings are equal bytes.
fn canonical(score: f64) -> f64 {
    if score.is_nan() { f64::NAN } else { score }
}
