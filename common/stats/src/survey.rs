//! The first look at every record: its own figures, its part of the patient's number, and the shadows'
//! utility.

use std::ops::Range;

use crate::analysis::RecordTable;
use crate::attacks::Observer;
use crate::error::StatsError;
use crate::inputs::Checked;
use crate::patient::{Exam, Examiner, Several, Tested};
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
    tested: Vec<(u32, Option<Tested>)>,
    /// Records of units with several.
    several: Vec<(u32, Vec<f64>)>,
    sums: Option<StripSums>,
    first: usize,
    examiner: Examiner,
}

impl Observer for Survey<'_> {
    type Part = Seen;

    fn begin(&self, records: Range<usize>) -> Seen {
        let sums = StripSums::new(records.len(), width(self.checked.shape.shadows));
        Seen { first: records.start, sums: Some(sums), ..Seen::default() }
    }

    fn record(&self, seen: &mut Seen, index: usize, view: &View<'_>) {
        let (checked, record) = (self.checked, seen.first + index);
        let unit = checked.units[record];
        seen.examiner.compare(view.mean, view.column, self.exam);
        let label = checked.labels.figure(&checked.shape, record);
        seen.rows.push(unit, label, &RecordRow::new(&seen.examiner.comparison));
        if self.records_of[unit as usize] == 1 {
            let tested = seen.examiner.one(view.mean, view.column, self.exam);
            seen.tested.push((unit, tested));
        } else {
            seen.several.push((unit, view.mean.to_vec()));
        }
        if let Some(sums) = &mut seen.sums {
            let (utility_sums, signals) = sums.of(index).split_at_mut(utility::width(view.mean.len()));
            utility::observe(view, utility_sums);
            for (count, signal) in signals.iter_mut().zip(view.mean) {
                *count += f64::from(u8::from(signal.is_finite()));
            }
        }
    }
}

/// The sums of a strip: the utility's, and the number of signals of each shadow.
fn width(shadows: usize) -> usize {
    utility::width(shadows) + shadows
}

/// What was seen in all tiles.
pub(crate) struct Surveyed {
    pub records: RecordSums,
    /// Per unit; those with several records are still to be tested.
    pub tested: Vec<Option<Tested>>,
    pub several: Several,
    /// Per unit: the highest binormal AUC of its records; NaN where none has one.
    pub strongest: Vec<f64>,
    pub utility_sums: Vec<f64>,
    /// Records with a signal, per shadow.
    pub signals: Vec<f64>,
}

impl Surveyed {
    pub fn new(checked: &Checked<'_>, records_of: &[u32]) -> Self {
        let shadows = checked.shape.shadows;
        Self {
            records: RecordSums::default(),
            tested: vec![None; records_of.len()],
            several: Several::new(shadows, records_of),
            strongest: vec![f64::NAN; records_of.len()],
            utility_sums: vec![0.0; utility::width(shadows)],
            signals: vec![0.0; shadows],
        }
    }

    /// Takes what was seen in a tile, and hands the rows on; tiles come in record order.
    pub fn take(&mut self, sink: &mut dyn Sink, tile: Range<usize>, seen: Seen) -> Result<(), StatsError> {
        self.records.add(&seen.rows);
        sink.records(tile.start, &seen.rows).map_err(|source| StatsError::Sink {
            start: tile.start,
            end: tile.end,
            source,
        })?;
        for (&unit, &auc) in seen.rows.unit.iter().zip(&seen.rows.binormal_auc) {
            let strongest = &mut self.strongest[unit as usize];
            *strongest = strongest.max(auc);
        }
        for (unit, tested) in seen.tested {
            self.tested[unit as usize] = tested;
        }
        for (unit, signals) in &seen.several {
            self.several.add(*unit, signals);
        }
        if let Some(sums) = seen.sums {
            sums.add_to(&mut [&mut self.utility_sums, &mut self.signals]);
        }
        Ok(())
    }
}
