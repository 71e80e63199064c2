//! Scratch files for the statistics.

use std::path::PathBuf;

use umbra_runtime::scratch::ScratchFile;
use umbra_stats::{Region, Scratch, SourceError};

/// Lends nameless files in a folder.
#[derive(Debug, Clone)]
pub struct FileScratch {
    folder: PathBuf,
}

impl FileScratch {
    /// In `folder`, which must exist while regions are asked for.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Scratch for FileScratch {
    fn region(&self, what: &str) -> Result<Box<dyn Region>, SourceError> {
        let file = ScratchFile::create(&self.folder, what).map_err(SourceError::new)?;
        Ok(Box::new(FileRegion(file)))
    }
}

struct FileRegion(ScratchFile);

impl Region for FileRegion {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), SourceError> {
        self.0.write_at(offset, bytes).map_err(SourceError::new)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), SourceError> {
        self.0.read_at(offset, bytes).map_err(SourceError::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use umbra_core::seed::{Purpose, Seed};
    use umbra_stats::{Design, MembershipMatrix, MemoryScratch, ScoreCurves, ScoreFindings, StatsError};

    /// Curves of 24 shadows x 4,000 records with room in memory for a tenth of the scores.
    fn findings(scratch: &dyn Scratch) -> Result<ScoreFindings, StatsError> {
        let (shadows, records) = (24, 4000);
        let seed = Seed::new(1);
        let mut stream = seed.stream(Purpose::Simulation, &[]);
        let membership = MembershipMatrix::from_fn(shadows, records, |s, u| (s + u * u % 7) % 2 == 0);
        let units: Vec<u32> = (0..records as u32).collect();
        let design = Design::bernoulli();
        let mut curves =
            ScoreCurves::try_new(membership.view(), &units, &design, &seed, 20, 1 << 16, scratch)?;
        for first in (0..records).step_by(500) {
            let scores: Vec<f64> = (0..shadows * 500).map(|_| stream.normal_f64()).collect();
            curves.take(first..first + 500, &scores)?;
        }
        curves.find()
    }

    #[test]
    fn figures_are_the_same_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let found = findings(&FileScratch::new(folder.path())).unwrap();
        assert_eq!(found, findings(&MemoryScratch).unwrap());
        assert_eq!(found.pooled.members + found.pooled.nonmembers, 96_000);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none");
        let error = findings(&FileScratch::new(&missing)).unwrap_err();
        assert!(matches!(&error, StatsError::Scratch(_)));
        let sentence = error.to_string();
        assert!(sentence.contains("the scores of an attack") && sentence.contains("none"), "{sentence}");
    }
}
