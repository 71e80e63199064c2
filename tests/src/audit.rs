//! Audit files for tests, on the bundled patients.

use std::fs;
use std::path::{Path, PathBuf};

/// An audit that is small enough for tests and still has eight packs in four blocks. The pack takes about
/// a second, and stores a checkpoint several times on its way.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Its name.
    pub name: &'static str,
    /// Its seed.
    pub seed: u64,
    /// Width of both hidden layers.
    pub width: u32,
    /// Passes over the expected half.
    pub epochs: u32,
    /// Shadows of a pack.
    pub pack: u32,
    /// Shadows.
    pub shadows: u32,
}

impl Audit {
    /// Steps, summed over a pack's shadows, between checkpoints.
    pub const CHECKPOINT_STEPS: u64 = 400;
    /// Records per step.
    const BATCH: u32 = 128;
    /// Shadows of a block, the least there may be.
    const BLOCK: u32 = 8;
    /// Records of the bundled data set.
    const RECORDS: u64 = 9105;

    /// The audit of the fault tests.
    pub fn medium() -> Self {
        Self { name: "medium", seed: 11, width: 128, epochs: 16, pack: 4, shadows: 32 }
    }

    /// One that is over in a moment.
    pub fn tiny() -> Self {
        Self { name: "tiny", seed: 12, width: 8, epochs: 1, pack: 4, shadows: 16 }
    }

    /// Packs in all.
    pub fn packs(&self) -> u64 {
        u64::from(self.shadows / Self::BLOCK * Self::BLOCK.div_ceil(self.pack))
    }

    /// Steps of a pack, summed over its shadows: each takes `ceil(epochs x expected half / batch)`.
    pub fn pack_steps(&self) -> u64 {
        let half_passes = u64::from(self.epochs) * Self::RECORDS;
        u64::from(self.pack) * half_passes.div_ceil(2 * u64::from(Self::BATCH))
    }

    /// The audit file, with the bundled table as its data set.
    pub fn text(&self) -> String {
        let data = data();
        let path = |name: &str| data.join(name).display().to_string();
        let (table, schema) = (path("support2.parquet"), path("support2.schema.toml"));
        self.on(&format!("path = '{table}'\nschema = '{schema}'"))
    }

    /// The audit file, with an imported data set.
    pub fn text_on(&self, dataset: &str) -> String {
        self.on(&format!("name = \"{dataset}\""))
    }

    /// Writes the audit file into a folder.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}.toml", self.name));
        fs::write(&path, self.text()).expect("a test can write to its folder");
        path
    }

    fn on(&self, dataset: &str) -> String {
        let Self { name, seed, width, epochs, pack, shadows } = self;
        let (batch, block, checkpoint) = (Self::BATCH, Self::BLOCK, Self::CHECKPOINT_STEPS);
        format!(
            "name = \"{name}\"\nseed = {seed}\n[dataset]\n{dataset}\n[model]\narchitecture = \"mlp\"\n\
             widths = [{width}, {width}]\n[training]\nlearning_rate = 0.05\nbatch = {batch}\n\
             epochs = {epochs}\n[shadows]\ncount = {shadows}\nblock = {block}\n[placement]\npack = {pack}\n\
             checkpoint_steps = {checkpoint}\n"
        )
    }
}

/// The folder of the bundled data.
fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}
