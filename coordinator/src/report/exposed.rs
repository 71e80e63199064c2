//! The most exposed patients, from rows that come piece by piece.

use std::cmp::Ordering;

use umbra_stats::PatientTable;

/// How many are kept.
const MOST: usize = 20;

/// One patient's figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Exposure {
    pub unit: u32,
    pub records: u32,
    pub auc: f64,
    pub auc_lower: f64,
    pub q: f64,
    pub detected: bool,
    /// Of the patient's strongest record: still tells apart those whose AUC is 1.
    binormal_auc: f64,
}

/// The patients that lead the list, and how many more are like the last of them.
#[derive(Debug, Clone, Default)]
pub(super) struct MostExposed {
    /// In order.
    rows: Vec<Exposure>,
    /// Detected patients that have the figures of the last row but are not in the list.
    alike: usize,
}

impl MostExposed {
    pub fn take(&mut self, table: &PatientTable) {
        for row in (0..table.unit.len()).filter(|&row| !table.auc[row].is_nan()) {
            self.place(Exposure {
                unit: table.unit[row],
                records: table.records[row],
                auc: table.auc[row],
                auc_lower: table.auc_lower[row],
                q: table.q[row],
                detected: table.detected[row],
                binormal_auc: table.binormal_auc[row],
            });
        }
    }

    fn place(&mut self, patient: Exposure) {
        let full = self.rows.len() == MOST;
        let last = self.rows.last().copied();
        let out = match last {
            Some(last) if full && last.order(&patient) != Ordering::Greater => patient,
            _ => {
                let place = self.rows.partition_point(|row| row.order(&patient) != Ordering::Greater);
                self.rows.insert(place, patient);
                if !full {
                    return;
                }
                self.rows.pop().expect("the list is full")
            }
        };
        // Whoever is not in the list stands behind its last row. What left it earlier cannot have the
        // figures of a last row that came to be better since.
        let new_last = self.rows[MOST - 1];
        if last.is_some_and(|last| !last.has_figures_of(&new_last)) {
            self.alike = 0;
        }
        self.alike += usize::from(out.detected && out.has_figures_of(&new_last));
    }

    pub fn rows(&self) -> &[Exposure] {
        &self.rows
    }

    pub fn alike(&self) -> usize {
        self.alike
    }
}

impl Exposure {
    /// Detected ones first, then by lower bound, AUC and the strongest record; the unit decides among equals.
    fn order(&self, other: &Self) -> Ordering {
        (other.detected.cmp(&self.detected))
            .then(other.bound().total_cmp(&self.bound()))
            .then(other.auc.total_cmp(&self.auc))
            .then(strength(other.binormal_auc).total_cmp(&strength(self.binormal_auc)))
            .then(self.unit.cmp(&other.unit))
    }

    /// Bounds hold for the detected ones alone.
    fn bound(&self) -> f64 {
        if self.detected { self.auc_lower } else { -1.0 }
    }

    fn has_figures_of(&self, other: &Self) -> bool {
        self.bound() == other.bound() && self.auc == other.auc
    }
}

fn strength(binormal_auc: f64) -> f64 {
    if binormal_auc.is_nan() { 0.0 } else { binormal_auc }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient(unit: u32, auc: f64, detected: bool) -> Exposure {
        Exposure { unit, records: 1, auc, auc_lower: auc - 0.1, q: 0.0, detected, binormal_auc: 0.5 }
    }

    #[test]
    fn the_list_and_the_count_do_not_depend_on_the_order_of_arrival() {
        // Ten at .9, thirty at .8, sixty undetected at .95.
        let all: Vec<Exposure> = (0..100)
            .map(|unit| match unit {
                0..10 => patient(unit, 0.9, true),
                10..40 => patient(unit, 0.8, true),
                _ => patient(unit, 0.95, false),
            })
            .collect();
        for step in [1, 7, 33, 99] {
            let mut list = MostExposed::default();
            (0..100).for_each(|i| list.place(all[i * step % 100]));
            let units: Vec<u32> = list.rows().iter().map(|row| row.unit).collect();
            assert_eq!(units, (0..20).collect::<Vec<_>>(), "step {step}");
            assert_eq!(list.alike(), 20, "step {step}");
        }
    }
}
