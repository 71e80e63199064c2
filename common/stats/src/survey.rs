//! The first look at every record: its own figures, its part of the patient's number, and the shadows'
//! utility.

use std::ops::Range;

use crate::analysis::RecordTable;
use crate::attacks::Observer;
use crate::error::StatsError;
use crate::inputs::Checked;
use crate::lanes::{Kernel, Vector, dispatch};
use crate::patient::{Exam, Examiner, Patient, SeenOfSeveral, Several, Store};
use crate::records::{RecordRow, RecordSums};
use crate::signal::View;
use crate::sink::Sink;
use crate::sweep::StripSums;
use crate::utility;

/// Looks at records; tiles in parallel.
pub(crate) struct Survey<'a> {
    pub checked: &'a Checked<'a>,
    pub exam: &'a Exam,
    /// Number of records of every unit.
    pub records_of: &'a [u32],
}

/// What was seen in a tile.
#[derive(Default)]
pub(crate) struct Seen {
    rows: RecordTable,
    /// Units with this one record.
    tested: Vec<(u32, Patient)>,
    several: SeenOfSeveral,
    sums: Option<StripSums>,
    first: usize,
}

impl Observer for Survey<'_> {
    type Part = Seen;
    type Worker = Examiner;

    const SEES_TASK: bool = true;

    fn begin(&self, records: Range<usize>) -> Seen {
        let sums = StripSums::new(records.len(), width(self.checked.shape.shadows));
        Seen { first: records.start, sums: Some(sums), ..Seen::default() }
    }

    fn record(&self, examiner: &mut Examiner, seen: &mut Seen, index: usize, view: &View<'_>) {
        let (checked, record) = (self.checked, seen.first + index);
        let unit = checked.units[record];
        examiner.compare(view.mean, view.column, self.exam);
        let label = checked.labels.figure(&checked.shape, record);
        let binormal_auc = seen.rows.push(unit, label, &RecordRow::new(&examiner.comparison));
        if self.records_of[unit as usize] == 1 {
            let tested = examiner.one(view.mean, view.column, self.exam);
            seen.tested.push((unit, Patient { tested, strongest: binormal_auc }));
        } else {
            seen.several.push(unit, binormal_auc, view.mean);
        }
        if let Some(sums) = &mut seen.sums {
            let (utility_sums, signals) = sums.of(index).split_at_mut(utility::width(view.mean.len()));
            utility::observe(view, utility_sums);
            dispatch(CountSignals { signals: view.mean, counts: signals });
        }
    }
}

/// Counts the signals of every shadow.
struct CountSignals<'a> {
    signals: &'a [f64],
    counts: &'a mut [f64],
}

impl Kernel for CountSignals<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for (count, signal) in self.counts.iter_mut().zip(self.signals) {
            *count += if signal.abs() < f64::INFINITY { 1.0 } else { 0.0 };
        }
    }
}

/// The sums of a strip: the utility's, and the number of signals of each shadow.
fn width(shadows: usize) -> usize {
    utility::width(shadows) + shadows
}

/// What was seen in all tiles.
pub(crate) struct Surveyed<'a> {
    pub records: RecordSums,
    /// Units with one record; those with several are still to be tested.
    pub patients: Store,
    pub several: Several<'a>,
    pub utility_sums: Vec<f64>,
    /// Records with a signal, per shadow.
    pub signals: Vec<f64>,
}

impl<'a> Surveyed<'a> {
    pub fn new(checked: &Checked<'a>, records_of: &'a [u32]) -> Result<Self, StatsError> {
        let shadows = checked.shape.shadows;
        Ok(Self {
            records: RecordSums::default(),
            patients: Store::new(records_of.len(), checked.scratch)?,
            several: Several::new(shadows, records_of, checked.scratch),
            utility_sums: vec![0.0; utility::width(shadows)],
            signals: vec![0.0; shadows],
        })
    }

    /// Takes what was seen in a tile, and hands the rows on; tiles come in record order.
    pub fn take(&mut self, sink: &mut dyn Sink, tile: Range<usize>, seen: Seen) -> Result<(), StatsError> {
        self.records.add(&seen.rows);
        sink.records(tile.start, &seen.rows).map_err(|source| StatsError::Sink {
            start: tile.start,
            end: tile.end,
            source,
        })?;
        for (unit, patient) in &seen.tested {
            self.patients.put(*unit, patient)?;
        }
        self.several.add(&seen.several)?;
        if let Some(sums) = seen.sums {
            sums.add_to(&mut [&mut self.utility_sums, &mut self.signals]);
        }
        Ok(())
    }
}
