//! The signals of patients with several records, kept until all records of a patient have been seen.
//!
//! Units are cut into parts of some [`PART_BYTES`], in unit order; what comes of a part's records is
//! appended to its room in a scratch region, so that scattered records are read back part by part.

use std::sync::{Mutex, PoisonError};

use crate::error::StatsError;
use crate::inputs::Checked;
use crate::patient::store::Patient;
use crate::patient::tester::{Exam, Examiner};
use crate::pipeline;
use crate::scratch::{Region, Scratch};

/// Bytes of a part, unless a single unit has more.
const PART_BYTES: usize = 4 << 20;

/// Bytes that wait in memory, over all parts.
const WAITING_BYTES: usize = 16 << 20;

/// Records of patients with several, as they are seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    units: Vec<u32>,
    binormal_aucs: Vec<f64>,
    /// `[record][shadow]`.
    signals: Vec<f64>,
}

impl Seen {
    /// One more record.
    pub fn push(&mut self, unit: u32, binormal_auc: f64, signals: &[f64]) {
        self.units.push(unit);
        self.binormal_aucs.push(binormal_auc);
        self.signals.extend_from_slice(signals);
    }
}

/// Signals by patient.
pub(crate) struct Several<'a> {
    shadows: usize,
    records_of: &'a [u32],
    scratch: &'a dyn Scratch,
    region: Option<Box<dyn Region>>,
    parts: Vec<Part>,
    /// Bytes that wait.
    waiting: usize,
}

/// A run of units.
struct Part {
    first_unit: u32,
    /// Where its room begins, and the bytes written there.
    start: u64,
    written: usize,
    waiting: Vec<u8>,
}

impl<'a> Several<'a> {
    /// For units of which so many records each will come; units with one record have no room.
    pub fn new(shadows: usize, records_of: &'a [u32], scratch: &'a dyn Scratch) -> Self {
        let (mut parts, mut end): (Vec<Part>, u64) = (Vec::new(), 0);
        for (unit, &records) in (0u32..).zip(records_of).filter(|(_, records)| **records > 1) {
            if parts.last().is_none_or(|part| end - part.start >= PART_BYTES as u64) {
                parts.push(Part { first_unit: unit, start: end, written: 0, waiting: Vec::new() });
            }
            end += u64::from(records) * row_bytes(shadows) as u64;
        }
        Self { shadows, records_of, scratch, region: None, parts, waiting: 0 }
    }

    /// Keeps what was seen; records come in order.
    pub fn add(&mut self, seen: &Seen) -> Result<(), StatsError> {
        let rows = seen.signals.chunks_exact(self.shadows);
        for ((&unit, &binormal_auc), signals) in seen.units.iter().zip(&seen.binormal_aucs).zip(rows) {
            let part = self.parts.partition_point(|part| part.first_unit <= unit) - 1;
            let waiting = &mut self.parts[part].waiting;
            waiting.extend_from_slice(&unit.to_le_bytes());
            waiting.extend_from_slice(&binormal_auc.to_le_bytes());
            signals.iter().for_each(|signal| waiting.extend_from_slice(&signal.to_le_bytes()));
            self.waiting += row_bytes(self.shadows);
        }
        if self.waiting > WAITING_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), StatsError> {
        if self.region.is_none() {
            let region = self.scratch.region("the signals of patients with several records");
            self.region = Some(region.map_err(StatsError::Scratch)?);
        }
        let region = self.region.as_deref().expect("it was just made");
        for part in self.parts.iter_mut().filter(|part| !part.waiting.is_empty()) {
            // Its memory is given back: the next bytes may be of other parts.
            let bytes = std::mem::take(&mut part.waiting);
            region.write_at(part.start + part.written as u64, &bytes).map_err(StatsError::Scratch)?;
            part.written += bytes.len();
        }
        self.waiting = 0;
        Ok(())
    }

    /// Tests the units that have several records, part by part; `take` gets them in unit order, and the share
    /// done.
    pub fn test(
        &self,
        checked: &Checked<'_>,
        exam: &Exam,
        mut take: impl FnMut(&[(u32, Patient)], f64) -> Result<(), StatsError>,
    ) -> Result<(), StatsError> {
        let idle: Mutex<Vec<Examiner>> = Mutex::default();
        let test = |part: &Part| {
            let examiner = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut examiner = examiner.unwrap_or_default();
            let tested = self.test_part(part, checked, exam, &mut examiner);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(examiner);
            tested
        };
        let mut done = 0.0;
        pipeline::ordered(self.parts.iter(), 2 * rayon::current_num_threads(), test, |tested| {
            done += 1.0;
            take(&tested?, done / self.parts.len() as f64)
        })
    }

    fn test_part(
        &self,
        part: &Part,
        checked: &Checked<'_>,
        exam: &Exam,
        examiner: &mut Examiner,
    ) -> Result<Vec<(u32, Patient)>, StatsError> {
        let mut bytes = vec![0; part.written];
        if let Some(region) = &self.region {
            region.read_at(part.start, &mut bytes).map_err(StatsError::Scratch)?;
        }
        bytes.extend_from_slice(&part.waiting);
        // Records of a unit keep their order: the sort is stable.
        let mut rows: Vec<Row<'_>> = bytes.chunks_exact(row_bytes(self.shadows)).map(Row::of).collect();
        rows.sort_by_key(|row| row.unit);
        let (mut signals, mut room) = (Vec::new(), Vec::new());
        let mut test = |rows: &[Row<'_>]| {
            let unit = rows[0].unit;
            debug_assert_eq!(rows.len(), self.records_of[unit as usize] as usize);
            signals.clear();
            rows.iter().for_each(|row| signals.extend(row.signals()));
            let column = checked.membership.column(unit as usize, &mut room);
            let strongest = rows.iter().fold(f64::NAN, |most, row| most.max(row.binormal_auc));
            (unit, Patient { tested: examiner.several(&signals, column, exam), strongest })
        };
        Ok(rows.chunk_by(|a, b| a.unit == b.unit).map(&mut test).collect())
    }
}

/// One record as it is kept.
struct Row<'a> {
    unit: u32,
    binormal_auc: f64,
    signals: &'a [u8],
}

impl<'a> Row<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let (unit, rest) = bytes.split_first_chunk().expect("a row begins with its unit");
        let (binormal_auc, signals) = rest.split_first_chunk().expect("an AUC follows");
        Self { unit: u32::from_le_bytes(*unit), binormal_auc: f64::from_le_bytes(*binormal_auc), signals }
    }

    fn signals(&self) -> impl Iterator<Item = f64> {
        let chunks = self.signals.as_chunks::<8>().0;
        chunks.iter().map(|bytes| f64::from_le_bytes(*bytes))
    }
}

/// Unit, AUC, signals.
fn row_bytes(shadows: usize) -> usize {
    size_of::<u32>() + (1 + shadows) * size_of::<f64>()
}
