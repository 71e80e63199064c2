//! Who may be exchanged with whom: patients with equally many records.
//!
//! More records make a patient easier to detect, so outcomes are permuted among patients with the same
//! number of records only. Where a number of records is too rare for that, its patients have nobody to be
//! exchanged with, and they would drop out, though they are the most exposed ones: such numbers share a
//! band with their neighbours. A band is closed as soon as it holds enough patients, so a common number
//! never stands beside more than a few patients with another one; and it never spans more than a quarter,
//! so that 1, 2 and 3 records are never mixed with anything, and a band's patients differ in the square root
//! of their records, which detection depends on, by 12 % at most.

use std::collections::BTreeMap;

/// Patients a band must hold to be closed. In a stratum of n an n-th of the information goes into its mean.
const ENOUGH: u64 = 5;

/// The highest number of records in a band over its lowest, as a fraction.
const WIDEST: (u64, u64) = (5, 4);

/// Numbers of records that are taken together.
struct Band {
    first: u32,
    last: u32,
    patients: u64,
}

impl Band {
    fn takes(&self, records: u32) -> bool {
        u64::from(records) * WIDEST.1 <= u64::from(self.first) * WIDEST.0
    }
}

/// The stratum of every number of records that occurs, ascending from 0.
///
/// `patients` holds how many patients have each number.
pub(super) fn strata(patients: &BTreeMap<u32, u64>) -> BTreeMap<u32, u32> {
    let mut bands: Vec<Band> = Vec::new();
    for (&records, &patients) in patients {
        match bands.last_mut() {
            Some(band) if band.patients < ENOUGH && band.takes(records) => {
                band.last = records;
                band.patients += patients;
            }
            _ => bands.push(Band { first: records, last: records, patients }),
        }
    }
    // What stayed small because its upper neighbours are too far away may still fit the lower ones.
    let mut merged: Vec<Band> = Vec::new();
    for band in bands {
        match merged.last_mut() {
            Some(lower) if band.patients < ENOUGH && lower.takes(band.last) => {
                lower.last = band.last;
                lower.patients += band.patients;
            }
            _ => merged.push(band),
        }
    }
    let stratum_of = |&records: &u32| merged.partition_point(|band| band.last < records) as u32;
    patients.keys().map(|records| (*records, stratum_of(records))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (records, patients, stratum).
    fn check(expected: &[(u32, u64, u32)]) {
        let patients = expected.iter().map(|&(records, patients, _)| (records, patients)).collect();
        let right = expected.iter().map(|&(records, _, stratum)| (records, stratum)).collect();
        assert_eq!(strata(&patients), right);
    }

    #[test]
    fn numbers_with_enough_patients_stand_alone() {
        check(&[(1, 900, 0), (2, 5, 1), (3, 5, 2), (18, 60, 3), (19, 60, 4)]);
    }

    #[test]
    fn rare_numbers_share_narrow_bands() {
        // 1, 2 and 3 stay exact however rare; 20 to 22 reach five; 23 is alone and joins them, for
        // 23 <= 1.25 x 20; 30 is too far from all; 40 and 50 are just near enough, 40 and 51 are not.
        check(&[
            (1, 1, 0),
            (2, 2, 1),
            (3, 1, 2),
            (20, 2, 3),
            (21, 2, 3),
            (22, 1, 3),
            (23, 1, 3),
            (30, 1, 4),
            (40, 2, 5),
            (50, 2, 5),
            (51, 1, 6),
            (90, 7, 7),
            (100, 1, 7),
        ]);
    }
}
