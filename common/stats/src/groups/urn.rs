//! Permuting outcomes without touching a patient: within a stratum only the number of patients of every
//! outcome in every cell matters, and under permutation those counts are multivariate hypergeometric.

use std::ops::Range;

use umbra_core::seed::Stream;

use super::hypergeometric::Hypergeometric;
use super::outcome::{Outcome, code};
use super::table::Table;

/// One stratum: what is drawn from it.
///
/// Of its outcomes, the most frequent one is not drawn but left over.
struct Urn {
    cells: Range<usize>,
    patients: u64,
    /// How many patients get another outcome than the one left over, and how that changes a group's count.
    draws: Vec<(u32, i64)>,
    /// How to find the cell of a patient, where patients are drawn one by one.
    index: Option<Index>,
}

/// Drawing a patient costs about as much as drawing so many members of small cells.
const PATIENT_COST: u64 = 3;

/// A large cell costs about as much as a small one of so many patients.
const CELL_COST: u64 = 48;

/// Finds the cell of the i-th patient: a table by i's leading digits, then a short search (Chen and Asau
/// 1974).
struct Index {
    /// The first patient of every cell, relative to the stratum, and the number of patients at the end.
    starts: Vec<u32>,
    guide: Vec<u32>,
    shift: u32,
}

impl Index {
    fn new(table: &Table, cells: &Range<usize>) -> Self {
        let mut starts = vec![0];
        let mut patients = 0;
        for tally in &table.tallies[cells.clone()] {
            patients += tally.patients;
            starts.push(patients);
        }
        let shift = (u64::from(patients) / cells.len() as u64).max(1).ilog2();
        let mut guide = Vec::with_capacity((patients >> shift) as usize + 1);
        for digits in 0..=patients >> shift {
            guide.push(starts.partition_point(|&start| start <= digits << shift) as u32 - 1);
        }
        Self { starts, guide, shift }
    }

    /// The cell of patient `i`, and the patient's place in it.
    fn find(&self, i: u32) -> (usize, u32) {
        let mut cell = self.guide[(i >> self.shift) as usize] as usize;
        while self.starts[cell + 1] <= i {
            cell += 1;
        }
        (cell, i - self.starts[cell])
    }
}

/// The strata, ready to be drawn from.
pub(super) struct Urns<'a> {
    table: &'a Table,
    urns: Vec<Urn>,
    /// Every group's count if all patients had the outcome that their stratum's draws leave over.
    base: Vec<i64>,
}

impl<'a> Urns<'a> {
    pub fn new(table: &'a Table, outcome: Outcome) -> Self {
        let mut base = vec![0; table.groups];
        let mut urns = Vec::new();
        for cells in &table.strata {
            let total = table.total(cells);
            let counts = outcome.counts(&total);
            let left = (0..counts.len()).max_by_key(|&class| counts[class]).unwrap_or(0);
            for cell in cells.clone() {
                table.add(cell, code(left) * i64::from(table.tallies[cell].patients), &mut base);
            }
            let others = (0..counts.len()).filter(|&class| class != left && counts[class] > 0);
            let draws: Vec<(u32, i64)> =
                others.map(|class| (counts[class], code(class) - code(left))).collect();
            let drawn: u64 = draws.iter().map(|&(count, _)| u64::from(count)).sum();
            let by_cell: u64 = table.tallies[cells.clone()]
                .iter()
                .map(|tally| u64::from(tally.patients).min(CELL_COST))
                .sum();
            if drawn > 0 {
                urns.push(Urn {
                    cells: cells.clone(),
                    patients: u64::from(total.patients),
                    index: (PATIENT_COST * drawn < by_cell * draws.len() as u64)
                        .then(|| Index::new(table, cells)),
                    draws,
                });
            }
        }
        Self { table, urns, base }
    }

    pub fn drawer(&self, stream: Stream) -> Drawer<'_> {
        let cells = self.urns.iter().map(|urn| urn.cells.len()).max().unwrap_or(0);
        Drawer {
            urns: self,
            stream,
            hypergeometric: Hypergeometric::default(),
            taken: vec![0; cells],
            counts: Vec::new(),
        }
    }
}

/// Draws permutations, one after the other.
pub(super) struct Drawer<'a> {
    urns: &'a Urns<'a>,
    stream: Stream,
    hypergeometric: Hypergeometric,
    /// Per cell of the current stratum: patients that were given their outcome.
    taken: Vec<u32>,
    counts: Vec<i64>,
}

impl Drawer<'_> {
    /// Every group's count under a fresh permutation, in the [`code`] of the outcome's classes.
    pub fn draw(&mut self) -> &[i64] {
        self.counts.clone_from(&self.urns.base);
        for urn in &self.urns.urns {
            self.taken[..urn.cells.len()].fill(0);
            match &urn.index {
                Some(index) => self.patient_by_patient(urn, index),
                None => self.cell_by_cell(urn),
            }
        }
        &self.counts
    }

    /// Draws patients; one who has an outcome is drawn again. Which patients of a cell are taken makes no
    /// difference, so let it be the first ones.
    fn patient_by_patient(&mut self, urn: &Urn, index: &Index) {
        for &(count, change) in &urn.draws {
            let mut left = count;
            while left > 0 {
                let (cell, place) = index.find(self.stream.below(urn.patients) as u32);
                if place >= self.taken[cell] {
                    self.taken[cell] += 1;
                    left -= 1;
                    self.urns.table.add(urn.cells.start + cell, change, &mut self.counts);
                }
            }
        }
    }

    /// Draws how many patients of every cell get the outcome, given those of the cells before.
    fn cell_by_cell(&mut self, urn: &Urn) {
        let mut free = urn.patients;
        for &(count, change) in &urn.draws {
            let (mut patients, mut left) = (free, u64::from(count));
            for (cell, taken) in urn.cells.clone().zip(&mut self.taken) {
                if left == 0 {
                    break;
                }
                let size = u64::from(self.urns.table.tallies[cell].patients - *taken);
                let drawn = self.hypergeometric.draw(&mut self.stream, patients, left, size);
                patients -= size;
                left -= drawn;
                if drawn > 0 {
                    *taken += drawn as u32;
                    self.urns.table.add(cell, change * drawn as i64, &mut self.counts);
                }
            }
            free -= u64::from(count);
        }
    }
}
