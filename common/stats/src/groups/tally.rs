//! The comparison, from patients that come one by one.

use umbra_core::seed::Seed;

use super::findings::{AttributeResult, Composition, GroupResult, GroupRisk, Share};
use super::outcome::Outcome;
use super::partition::{Partition, partitions, slot};
use super::permutation::{Null, PValues};
use super::ratio::{MatchedRatio, risk_ratio};
use super::table::{Cells, Table, Tally};
use super::top::{TOP_SHARE, tied_weight};
use crate::bounds::wilson;
use crate::error::StatsError;
use crate::inputs::Attribute;

/// What was found about one tested patient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PatientOutcome {
    /// Its records.
    pub records: u32,
    /// Whether it was detected.
    pub detected: bool,
    /// Whether it is recognisable at the lowest level of [`RECOGNISABLE`].
    pub recognisable: bool,
    /// Its AUC.
    pub auc: f64,
}

/// Compares groups of patients.
///
/// Patients are taken one by one and only counted: memory grows with the distinct combinations of groups and
/// numbers of records that occur, not with the patients. What is found depends on neither their order nor
/// the number of threads.
pub struct GroupTally<'a> {
    attributes: &'a [Attribute],
    partitions: Vec<Partition<'a>>,
    cut: f64,
    cells: Cells,
}

impl<'a> GroupTally<'a> {
    /// Groups by `attributes` and by `intersections`, pairs of their names. `cut` is the AUC that separates
    /// the most exposed patients, [`AucCounts::cut`].
    ///
    /// # Errors
    /// [`StatsError::Config`] if an intersection names what is not there or has too many levels.
    pub fn new(
        attributes: &'a [Attribute],
        intersections: &[(String, String)],
        cut: f64,
    ) -> Result<Self, StatsError> {
        let partitions = partitions(attributes, intersections)?;
        Ok(Self { attributes, partitions, cut, cells: Cells::default() })
    }

    /// Takes a tested patient.
    ///
    /// # Panics
    /// If an attribute has no value for `unit`.
    pub fn add(&mut self, unit: usize, patient: &PatientOutcome) {
        let tally = Tally {
            patients: 1,
            detected: u32::from(patient.detected),
            recognisable: u32::from(patient.recognisable),
            above: u32::from(patient.auc > self.cut),
            tied: u32::from(patient.auc == self.cut),
        };
        let slots = self.attributes.iter().map(|attribute| slot(attribute, unit));
        self.cells.add(patient.records, slots, tally);
    }

    /// Compares: one result per attribute, in the given order, then one per intersection.
    pub fn finish(self, seed: &Seed, permutations: usize) -> Vec<AttributeResult> {
        if self.partitions.is_empty() {
            return Vec::new();
        }
        let table = Table::new(self.cells, &self.partitions);
        let margins = Margins::of(&table);
        let all = &margins.all;
        let tied = tied_weight(u64::from(all.patients), u64::from(all.above), u64::from(all.tied));
        let compare = |outcome, tied| {
            let null = Null::new(&table, outcome, tied);
            let p = null.p_values(seed, permutations);
            (null, p)
        };
        let (_, detected) = compare(Outcome::Detected, 0.0);
        let (_, recognisable) = compare(Outcome::Recognisable, 0.0);
        let (top, top_p) = compare(Outcome::Top, tied);
        let compositions = compositions(&margins, &top, &top_p);

        let mut results = Vec::new();
        for (place, partition) in self.partitions.iter().enumerate() {
            let groups = top.groups_of(place).zip(&table.groupings[place].groups).map(|(g, group)| {
                let risk = |outcome, p: &PValues| margins.risk(g, outcome, p.groups[g]);
                GroupResult {
                    name: group.name.clone(),
                    levels: group.levels.clone(),
                    patients: margins.groups[g].patients as usize,
                    detected: risk(Outcome::Detected, &detected),
                    recognisable: risk(Outcome::Recognisable, &recognisable),
                    top: compositions[g],
                }
            });
            results.push(AttributeResult {
                name: partition.name(),
                crossed: partition.crossed(),
                detected: detected.omnibus[place],
                recognisable: recognisable.omnibus[place],
                top: top_p.omnibus[place],
                groups: groups.collect(),
            });
        }
        results
    }
}

/// Sums over the strata.
struct Margins {
    all: Tally,
    groups: Vec<Tally>,
    /// Per group, for those detected and those recognisable.
    matched: Vec<[MatchedRatio; 2]>,
}

impl Margins {
    fn of(table: &Table) -> Self {
        let mut all = Tally::default();
        table.tallies.iter().for_each(|&tally| all += tally);
        let mut groups = vec![Tally::default(); table.groups];
        let mut matched = vec![[MatchedRatio::default(); 2]; table.groups];
        table.margins(|all, group, part| {
            groups[group] += *part;
            let [detected, recognisable] = &mut matched[group];
            detected.add((part.detected, part.patients), (all.detected, all.patients));
            recognisable.add((part.recognisable, part.patients), (all.recognisable, all.patients));
        });
        Self { all, groups, matched }
    }

    fn risk(&self, group: usize, outcome: Outcome, p_adjusted: f64) -> GroupRisk {
        let [detected, recognisable] = &self.matched[group];
        let matched = if outcome == Outcome::Detected { detected } else { recognisable };
        let [_, count, _] = outcome.counts(&self.groups[group]);
        let [_, everywhere, _] = outcome.counts(&self.all);
        let n = self.groups[group].patients;
        GroupRisk {
            count: count as usize,
            share: share(count as usize, n as usize),
            risk_ratio: risk_ratio((count, n), (everywhere - count, self.all.patients - n)),
            matched_risk_ratio: matched.finish(),
            p_adjusted,
        }
    }
}

fn share(count: usize, n: usize) -> Share {
    let (low, high) = wilson(count, n);
    Share { value: count as f64 / n as f64, low, high }
}

/// Of every group.
fn compositions(margins: &Margins, null: &Null<'_>, p: &PValues) -> Vec<Composition> {
    let of = |(group, patients): (usize, f64)| {
        let expected = TOP_SHARE * f64::from(margins.groups[group].patients);
        Composition {
            patients,
            expected,
            residual: (patients - expected) / expected.sqrt(),
            matched_expected: null.mean[group],
            deviate: null.deviate(group, patients),
            p_adjusted: p.groups[group],
        }
    };
    null.amounts().into_iter().enumerate().map(of).collect()
}

/// Whether these groups can be formed.
///
/// # Errors
/// As [`GroupTally::new`].
pub(crate) fn check(attributes: &[Attribute], intersections: &[(String, String)]) -> Result<(), StatsError> {
    partitions(attributes, intersections).map(|_| ())
}
