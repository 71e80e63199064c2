//! Permuting outcomes without touching a patient: within a stratum only the number of patients of every
//! outcome in every cell matters, and under permutation those counts are multivariate hypergeometric.
//!
//! They are drawn in two steps. First the patients of an outcome are divided among chunks of cells, then
//! among the cells of every chunk, all of whose numbers the processor has at hand.

use std::ops::Range;

use umbra_core::seed::Stream;

use super::hypergeometric::hypergeometric;
use super::outcome::{CLASSES, Outcome, code};
use super::table::Table;

/// Cells of a chunk.
const CHUNK: usize = 1024;

/// What it costs to draw one patient.
const PATIENT_COST: f64 = 4.0;

/// What it costs to draw how many patients of a cell get an outcome; and at most, if the cell is large.
const CELL_COST: f64 = 2.0;
const LARGE_CELL_COST: f64 = 48.0;

/// One stratum. Of its outcomes, the most frequent one is not drawn but left over.
struct Urn {
    chunks: Vec<Chunk>,
    patients: u32,
    /// How many patients get each of the other outcomes, and how that changes a counter.
    draws: Vec<(u32, i64)>,
}

struct Chunk {
    cells: Range<usize>,
    patients: u32,
    /// How to find the cell of a patient, where patients are drawn one by one.
    index: Option<Index>,
}

/// Finds the cell of the i-th patient: a table by i's leading digits, then a short search (Chen and Asau
/// 1974).
struct Index {
    /// The first patient of every cell, relative to the chunk, and the number of patients at the end.
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
        let shift = (patients / cells.len() as u32).max(1).ilog2();
        let mut guide = Vec::with_capacity((patients >> shift) as usize + 1);
        let mut cell = 0;
        for digits in 0..=patients >> shift {
            while starts.get(cell + 1).is_some_and(|&start| start <= digits << shift) {
                cell += 1;
            }
            guide.push(cell as u32);
        }
        Self { starts, guide, shift }
    }

    /// The cell of patient `i`, and the patient's place in it.
    #[inline]
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
    /// The table's counters if all patients had the outcome that their stratum's draws leave over.
    base: Vec<i64>,
}

impl<'a> Urns<'a> {
    pub fn new(table: &'a Table, outcome: Outcome) -> Self {
        let mut base = vec![0; table.counters];
        let mut urns = Vec::new();
        for stratum in &table.strata {
            let total = table.total(stratum);
            let counts = outcome.counts(&total);
            let left = (0..CLASSES).max_by_key(|&class| counts[class]).unwrap_or(0);
            for cell in stratum.clone() {
                table.add(cell, code(left) * i64::from(table.tallies[cell].patients), &mut base);
            }
            let others = (0..CLASSES).filter(|&class| class != left && counts[class] > 0);
            let draws: Vec<(u32, i64)> =
                others.map(|class| (counts[class], code(class) - code(left))).collect();
            if draws.is_empty() {
                continue;
            }
            let drawn: f64 = draws.iter().map(|&(count, _)| f64::from(count)).sum();
            let starts = stratum.clone().step_by(CHUNK);
            let chunks = starts.map(|start| {
                let cells = start..stratum.end.min(start + CHUNK);
                Chunk::new(table, cells, drawn / f64::from(total.patients), draws.len())
            });
            urns.push(Urn { chunks: chunks.collect(), patients: total.patients, draws });
        }
        Self { table, urns, base }
    }

    pub fn drawer(&self, stream: Stream) -> Drawer<'_> {
        Drawer {
            urns: self,
            stream,
            shares: Vec::new(),
            taken: [0; CHUNK],
            counters: Vec::new(),
            counts: Vec::new(),
        }
    }
}

impl Chunk {
    /// `share` of the patients is drawn, in so many `draws`; what is cheaper is prepared.
    fn new(table: &Table, cells: Range<usize>, share: f64, draws: usize) -> Self {
        let sizes = || table.tallies[cells.clone()].iter().map(|tally| tally.patients);
        let patients = sizes().sum();
        let by_patient = PATIENT_COST * share * f64::from(patients);
        let by_cell: f64 = sizes().map(|size| (CELL_COST + f64::from(size)).min(LARGE_CELL_COST)).sum();
        let index = (by_patient < by_cell * draws as f64).then(|| Index::new(table, &cells));
        Self { cells, patients, index }
    }
}

/// Draws permutations, one after the other.
pub(super) struct Drawer<'a> {
    urns: &'a Urns<'a>,
    stream: Stream,
    /// Per chunk of the current stratum: how many of its patients get each of the outcomes drawn.
    shares: Vec<[u32; CLASSES]>,
    /// Per cell of the current chunk: patients that were given their outcome.
    taken: [u32; CHUNK],
    counters: Vec<i64>,
    counts: Vec<i64>,
}

impl Drawer<'_> {
    /// Every group's count under a fresh permutation, in the [`code`] of the outcome's classes.
    pub fn draw(&mut self) -> &[i64] {
        self.counters.clone_from(&self.urns.base);
        for urn in &self.urns.urns {
            self.divide(urn);
            for (place, chunk) in urn.chunks.iter().enumerate() {
                self.taken[..chunk.cells.len()].fill(0);
                let mut free = chunk.patients;
                for (draw, &(_, change)) in urn.draws.iter().enumerate() {
                    let count = self.shares[place][draw];
                    match &chunk.index {
                        Some(index) => self.patient_by_patient(chunk, index, count, change),
                        None => self.cell_by_cell(chunk, free, count, change),
                    }
                    free -= count;
                }
            }
        }
        self.urns.table.count(&self.counters, &mut self.counts);
        &self.counts
    }

    /// Divides every outcome's patients among the chunks.
    fn divide(&mut self, urn: &Urn) {
        self.shares.clear();
        self.shares.resize(urn.chunks.len(), [0; CLASSES]);
        let mut free = urn.patients;
        for (draw, &(count, _)) in urn.draws.iter().enumerate() {
            let (mut patients, mut left) = (free, count);
            for (chunk, shares) in urn.chunks.iter().zip(&mut self.shares) {
                let size = chunk.patients - shares.iter().sum::<u32>();
                shares[draw] = hypergeometric(&mut self.stream, patients, left, size);
                patients -= size;
                left -= shares[draw];
            }
            free -= count;
        }
    }

    /// Draws patients; one who has an outcome is drawn again. Which patients of a cell are taken makes no
    /// difference, so let it be the first ones.
    fn patient_by_patient(&mut self, chunk: &Chunk, index: &Index, count: u32, change: i64) {
        let mut left = count;
        while left > 0 {
            let (cell, place) = index.find(self.stream.below_u32(chunk.patients));
            if place >= self.taken[cell] {
                self.taken[cell] += 1;
                left -= 1;
                self.urns.table.add(chunk.cells.start + cell, change, &mut self.counters);
            }
        }
    }

    /// Draws how many patients of every cell get the outcome, given those of the cells before; `free`
    /// patients of the chunk have none yet.
    fn cell_by_cell(&mut self, chunk: &Chunk, free: u32, count: u32, change: i64) {
        let (mut patients, mut left) = (free, count);
        for (cell, taken) in chunk.cells.clone().zip(&mut self.taken) {
            if left == 0 {
                break;
            }
            let size = self.urns.table.tallies[cell].patients - *taken;
            let drawn = hypergeometric(&mut self.stream, patients, left, size);
            patients -= size;
            left -= drawn;
            if drawn > 0 {
                *taken += drawn;
                self.urns.table.add(cell, change * i64::from(drawn), &mut self.counters);
            }
        }
    }
}
