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
