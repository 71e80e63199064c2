//! The signals of patients with several records, kept until all records of a patient have been seen.

use rayon::prelude::*;

use crate::inputs::Checked;
use crate::patient::tester::{Exam, Examiner, Tested};

/// Signals by patient.
pub(crate) struct Several {
    shadows: usize,
    /// Per unit, the row that its next record goes to; units with one record have no rows.
    next: Vec<u32>,
    signals: Vec<f64>,
}

impl Several {
    pub fn new(shadows: usize, records_of: &[u32]) -> Self {
        let mut rows = 0;
        let next = records_of
            .iter()
            .map(|&records| {
                let first = rows;
                rows += if records > 1 { records } else { 0 };
                first
            })
            .collect();
        Self { shadows, next, signals: vec![f64::NAN; rows as usize * shadows] }
    }

    /// Keeps the signals of one more record of a unit.
    pub fn add(&mut self, unit: u32, signals: &[f64]) {
        let row = self.next[unit as usize] as usize;
        self.next[unit as usize] += 1;
        self.signals[row * self.shadows..(row + 1) * self.shadows].copy_from_slice(signals);
    }

    /// Tests the units that have several records.
    pub fn test(&self, checked: &Checked<'_>, exam: &Exam, records_of: &[u32]) -> Vec<(u32, Option<Tested>)> {
        let units: Vec<u32> =
            (0u32..).zip(records_of).filter(|(_, records)| **records > 1).map(|(unit, _)| unit).collect();
        let test = |examiner: &mut Examiner, &unit: &u32| {
            let end = self.next[unit as usize] as usize * self.shadows;
            let start = end - records_of[unit as usize] as usize * self.shadows;
            let column = checked.membership.column(unit as usize);
            (unit, examiner.several(&self.signals[start..end], column, exam))
        };
        units.par_iter().map_init(Examiner::default, test).collect()
    }
}
