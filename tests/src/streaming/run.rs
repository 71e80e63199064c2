//! A run over a generated audit.

use std::io;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use umbra_coordinator::FileScratch;
use umbra_core::seed::Seed;
use umbra_stats::{
    Analysis, AttackKind, Config, Design, Inputs, Membership, MemoryScratch, PatientTable, RecordTable,
    Region, Scratch, Sink, SourceError, analyse_into,
};

use super::generated::{BLOCK, Generated, Plan, mixed};
use super::meter;

/// What a run took and gave.
#[derive(Debug)]
pub struct Outcome {
    /// What was found.
    pub analysis: Analysis,
    /// The most anonymous memory at any time, in bytes.
    pub anonymous: u64,
    /// Bytes written to scratch files.
    pub scratch: u64,
    /// How long it took, without drawing the audit.
    pub time: Duration,
    /// Rows of the tables and scores that the sink got.
    pub rows: Rows,
}

/// What came to a sink.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// Scores of all attacks.
    pub scores: u64,
    /// Rows of the record table.
    pub records: u64,
    /// Rows of the patient table.
    pub patients: u64,
    /// A number that follows from all values of a column, for some columns of both tables.
    pub columns: [u64; 6],
}

impl Rows {
    fn fold(&mut self, first: usize, columns: [&[f64]; 3]) {
        for (folded, column) in self.columns[first..].iter_mut().zip(columns) {
            *folded = column.iter().fold(*folded, |folded, value| mixed(folded ^ value.to_bits()));
        }
    }
}

impl Sink for Rows {
    fn scores(&mut self, _: AttackKind, _: Range<usize>, scores: &[f64]) -> Result<(), SourceError> {
        self.scores += scores.len() as u64;
        Ok(())
    }

    fn records(&mut self, first: usize, rows: &RecordTable) -> Result<(), SourceError> {
        assert_eq!(first as u64, self.records, "rows come in order");
        self.records += rows.unit.len() as u64;
        self.fold(0, [&rows.auc, &rows.binormal_auc, &rows.sd_out]);
        Ok(())
    }

    fn patients(&mut self, first: usize, rows: &PatientTable) -> Result<(), SourceError> {
        assert_eq!(first as u64, self.patients, "rows come in order");
        self.patients += rows.unit.len() as u64;
        self.fold(3, [&rows.p, &rows.q, &rows.binormal_auc]);
        Ok(())
    }
}

/// Scratch files whose bytes are counted.
struct Counted {
    files: FileScratch,
    written: Arc<AtomicU64>,
}

struct CountedRegion {
    region: Box<dyn Region>,
    written: Arc<AtomicU64>,
}

impl Scratch for Counted {
    fn region(&self, what: &str) -> Result<Box<dyn Region>, SourceError> {
        Ok(Box::new(CountedRegion { region: self.files.region(what)?, written: self.written.clone() }))
    }
}

impl Region for CountedRegion {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), SourceError> {
        self.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.region.write_at(offset, bytes)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), SourceError> {
        self.region.read_at(offset, bytes)
    }
}

/// Where scratch room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// In files.
    Files,
    /// In memory.
    Memory,
}

/// Analyses a generated audit whose files, and scratch files, lie in `folder`; `hear` gets the share done.
///
/// # Errors
/// If a file cannot be made, or the analysis fails.
pub fn run(
    plan: Plan,
    config: &Config,
    folder: &Path,
    room: Room,
    hear: &dyn Fn(f64),
) -> io::Result<Outcome> {
    let generated = Generated::draw(plan, folder).map_err(io::Error::other)?;
    let membership = Membership::new(plan.shadows, generated.units, &generated.columns)
        .ok_or_else(|| io::Error::other("the generated membership does not fit"))?;
    let inputs = Inputs {
        source: &generated,
        labels: generated.labels(),
        units: &generated.unit_of,
        membership,
        design: &Design::blocks(BLOCK),
        population: None,
        attributes: &[],
        seed: &Seed::new(1),
    };
    let written = Arc::new(AtomicU64::new(0));
    let files = Counted { files: FileScratch::new(folder), written: written.clone() };
    let scratch: &dyn Scratch = if room == Room::Files { &files } else { &MemoryScratch };
    let on = |share: f64| {
        hear(share);
        ControlFlow::Continue(())
    };
    let mut rows = Rows::default();
    let begun = Instant::now();
    let (found, anonymous) =
        meter::watched(|| analyse_into(&inputs, config, &on, &mut rows, scratch).map_err(io::Error::other));
    let time = begun.elapsed();
    Ok(Outcome { analysis: found?, anonymous, scratch: written.load(Ordering::Relaxed), time, rows })
}
