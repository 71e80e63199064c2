//! Whether two-way bootstrap intervals of pooled figures cover, where patients and shadows both vary; and
//! that intervals which take pairs for independent do not.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use support::blocked;
use umbra_core::seed::{Purpose, Seed};
use umbra_stats::{Design, MemoryScratch, ScoreCurves, ScoreFindings, wilson};

/// Standard deviations of a score's parts: of the patient and the shadow, in and out; of how much a patient
/// or a shadow leaks; of the rest.
const PATIENT: f64 = 0.6;
const SHADOW: f64 = 0.4;
const PATIENT_LEAK: f64 = 0.5;
const SHADOW_LEAK: f64 = 0.3;
const REST: f64 = 0.7;
/// Mean of what membership adds.
const LEAK: f64 = 0.8;

/// Patients, records of each, shadows, shadows of a block.
const SHAPE: (usize, usize, usize, usize) = (150, 2, 48, 4);

fn findings(run: u64) -> ScoreFindings {
    let (patients, records, shadows, block) = SHAPE;
    let seed = Seed::new(run);
    let membership = blocked(shadows, patients, block, &mut seed.stream(Purpose::Membership, &[]));
    let mut stream = seed.stream(Purpose::Simulation, &[]);
    let mut pairs = |n: usize, sd: [f64; 2]| -> Vec<[f64; 2]> {
        (0..n).map(|_| sd.map(|sd| sd * stream.normal_f64())).collect()
    };
    let of_patient = pairs(patients, [PATIENT, PATIENT_LEAK]);
    let of_shadow = pairs(shadows, [SHADOW, SHADOW_LEAK]);
    let units: Vec<u32> = (0..patients * records).map(|record| (record / records) as u32).collect();
    let mut scores = Vec::with_capacity(shadows * units.len());
    for shadow in 0..shadows {
        for &unit in &units {
            let [patient, patient_leak] = of_patient[unit as usize];
            let leak = LEAK + patient_leak + of_shadow[shadow][1];
            let inside = f64::from(u8::from(membership.view().is_in(shadow, unit as usize)));
            scores.push(patient + of_shadow[shadow][0] + inside * leak + REST * stream.normal_f64());
        }
    }
    let design = Design::blocks(block);
    let mut curves =
        ScoreCurves::try_new(membership.view(), &units, &design, &seed, 400, usize::MAX, &MemoryScratch)
            .unwrap();
    curves.take(0..units.len(), &scores).unwrap();
    curves.find().unwrap()
}

#[test]
fn intervals_cover_where_patients_and_shadows_vary() {
    // A member and a non-member of other patients and shadows are independent normal numbers, of variances
    // v1 = 1.35 and v0 = 1.01. scipy 1.17.1: norm.cdf(.8 / sqrt(v1 + v0)), and
    // norm.sf(norm.isf(.1, scale=sqrt(v0)), .8, sqrt(v1)) at a false positive rate of .1.
    let (auc, tpr) = (0.6987314969473429, 0.3372592370004785);
    let runs = 200;
    let (mut covers_auc, mut covers_tpr, mut pairs_cover) = (0, 0, 0);
    for run in 0..runs {
        let found = findings(run);
        let interval = found.interval.unwrap();
        assert_eq!((interval.patients, interval.shadows), (SHAPE.0, SHAPE.2 / SHAPE.3));
        let (low, high) = (interval.low, interval.high);
        covers_auc += u32::from((low.auc..high.auc).contains(&auc));
        covers_tpr += u32::from((low.tpr_at_fpr[0]..high.tpr_at_fpr[0]).contains(&tpr));
        let members = found.pooled.members as usize;
        let hits = (found.pooled.figures.tpr_at_fpr[0] * members as f64).round() as usize;
        let (low, high) = wilson(hits, members);
        pairs_cover += u32::from((low..high).contains(&tpr));
    }
    // 95 % of 200, five standard errors below and, as two-way bootstraps lean to wide intervals, to 98.5 %.
    assert!((175..=197).contains(&covers_auc), "{covers_auc} of {runs}");
    assert!((175..=197).contains(&covers_tpr), "{covers_tpr} of {runs}");
    assert!(pairs_cover < 120, "taking pairs for independent covers {pairs_cover} of {runs}");
}
