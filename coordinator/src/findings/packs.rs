//! Opening the logits of packs.

use umbra_core::cluster::PackResult;
use umbra_core::fault::{Domain, Fault, Retry};
use umbra_core::plan::PackPlan;
use umbra_data::logits::LogitsReader;
use umbra_runtime::blobs::BlobKey;

use crate::datasets::blob_fault;
use crate::facts::AuditFacts;
use crate::files::{self, BlobFile};
use crate::shell::Shell;

/// The largest pack that is opened, in bytes.
pub const MAX_PACK: u64 = 64 << 30;

/// One pack's logits.
pub struct PackReader {
    /// The first shadow.
    pub first: u32,
    /// How many shadows.
    pub shadows: u32,
    /// The logits.
    pub logits: LogitsReader,
    /// The file they are mapped from, kept where it is as long as they are; none of logits in memory.
    pub(super) _file: Option<BlobFile>,
}

/// Opens a pack's logits and checks that they are what the plan asks for.
///
/// # Errors
/// A fault that says what is wrong with them.
pub async fn open_pack(
    shell: &Shell,
    facts: &AuditFacts,
    pack: &PackPlan,
    result: &PackResult,
) -> Result<PackReader, Fault> {
    let key = BlobKey::try_new(result.key.as_str()).map_err(|error| wrong(pack, error))?;
    let file = files::fetch(shell, &key, &result.digest, MAX_PACK).await;
    let file = file.map_err(|error| blob_fault(&error))?;
    let path = file.path().to_owned();
    let opened = tokio::task::spawn_blocking(move || LogitsReader::open(&path)).await;
    let logits = opened.map_err(|error| wrong(pack, error))?.map_err(|error| wrong(pack, error))?;
    let header = logits.header();
    let lost: Vec<u32> = result.lost.iter().map(|shadow| shadow.0).collect();
    let fits = header.first_shadow == pack.shadows.start
        && header.shadows as usize == pack.shadows.len()
        && header.records == facts.dataset.shape.records
        && header.queries == facts.spec.queries().views()
        && header.classes == facts.logits()
        && header.lost == lost;
    if !fits {
        return Err(wrong(pack, "its header is of another pack"));
    }
    let (first, shadows) = (pack.shadows.start, pack.shadows.len() as u32);
    Ok(PackReader { first, shadows, logits, _file: Some(file) })
}

/// A result that is not what it should be is made again, rather by another worker.
fn wrong(pack: &PackPlan, what: impl std::fmt::Display) -> Fault {
    let message = format!("the logits of pack {} cannot be used: {what}", pack.index);
    Fault::new(Domain::Worker, Retry::Elsewhere, message)
}

impl PackReader {
    /// Checks that every shadow's logits are finite, but for those in `lost`.
    ///
    /// # Errors
    /// A fault that names the first record whose logits are not.
    pub fn check_finite(&self, lost: &[u32]) -> Result<(), Fault> {
        // 16 MiB of them at a time, whatever a record takes.
        const VALUES: usize = 1 << 22;
        let header = self.logits.header();
        let tile = (VALUES / header.row()).max(1) as u64;
        let (width, row) = (self.shadows as usize, (header.queries * header.classes) as usize);
        let mut values = Vec::new();
        for start in (0..header.records).step_by(tile as usize) {
            let end = header.records.min(start + tile);
            values.resize((end - start) as usize * row * width, 0.0);
            self.logits.read(start..end, &mut values).map_err(|error| unusable(self.first, error))?;
            // Nearly always all are, which is found without asking of what shadow each is.
            if values.chunks(1 << 10).all(|some| some.iter().fold(true, |all, value| all & value.is_finite()))
            {
                continue;
            }
            let wrong = values.iter().enumerate().find(|(i, value)| {
                let shadow = self.first + (i % width) as u32;
                !value.is_finite() && !lost.contains(&shadow)
            });
            if let Some((i, _)) = wrong {
                let record = start + (i / width / row) as u64;
                return Err(unusable(self.first, format!("the logits of record {record} are not finite")));
            }
        }
        Ok(())
    }
}

fn unusable(first: u32, what: impl std::fmt::Display) -> Fault {
    let message = format!("the logits from shadow {first} on cannot be used: {what}");
    Fault::new(Domain::Worker, Retry::Elsewhere, message)
}
