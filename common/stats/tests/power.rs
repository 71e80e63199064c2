//! What the patient test finds where something leaks: the power stated by `vectors/simulate_forward.py` and
//! `vectors/simulate_power.py`.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use support::{Audit, column, correlated};
use umbra_core::seed::{Purpose, Seed};
use umbra_stats::{Config, Design, PatientTester, benjamini_hochberg};

/// Share of patients with p <= 5.5e-6 (.05 / 9,105) at 64 shadows in blocks of 16, with records of correlation
/// `rho` within a shadow and a mean difference IN - OUT of `leaks` standard deviations per record.
fn power(seed: u64, rho: f64, leaks: &[f64]) -> f64 {
    let (shadows, patients) = (64, 1000);
    let mut stream = Seed::new(seed).stream(Purpose::Simulation, &[]);
    let mut tester = PatientTester::new(&Design::blocks(16), shadows).unwrap();
    let mut found = 0;
    for _ in 0..patients {
        let column = column(shadows, 16, &mut stream);
        let mut signals = correlated(leaks.len(), shadows, rho, &mut stream);
        for (row, leak) in signals.chunks_exact_mut(shadows).zip(leaks) {
            for (shadow, signal) in row.iter_mut().enumerate() {
                *signal += leak * (column[0] >> shadow & 1) as f64;
            }
        }
        found += u32::from(tester.test(&signals, &column).unwrap().p <= 5.5e-6);
    }
    f64::from(found) / f64::from(patients)
}

#[test]
fn one_leaking_record_among_many_is_found() {
    let among = |records: usize, leak: f64| -> Vec<f64> {
        let mut leaks = vec![0.0; records];
        leaks[records / 2] = leak;
        leaks
    };
    // Standard errors are .016 at most.
    for (rho, leaks, stated) in [
        // AUC .9, alone.
        (0.0, vec![1.812_387_604_873_646_7], STATED[0]),
        (0.0, among(18, 2.5), STATED[1]),
        (0.0, vec![0.45; 18], STATED[2]),
        (0.9, among(18, 0.79), STATED[3]),
        (0.5, among(18, 1.5), STATED[4]),
        (0.5, vec![1.0; 5], STATED[5]),
    ] {
        let found = power(11, rho, &leaks);
        assert!((found - stated).abs() < 0.05, "rho {rho}, leaks {leaks:?}: {found}, stated {stated}");
    }
}

const STATED: [f64; 6] = [0.978, 0.792, 0.923, 0.596, 0.362, 0.498];

/// Share of the leaky tenth of 9,105 patients with one record each that Benjamini-Hochberg finds at 5 %.
fn power_of_one_record(shadows: usize, shift: f64) -> f64 {
    let patients = 9105;
    let mut stream = Seed::new(shadows as u64).stream(Purpose::Simulation, &[]);
    let mut tester = PatientTester::new(&Design::blocks(16), shadows).unwrap();
    let p: Vec<f64> = (0..patients)
        .map(|patient| {
            let column = column(shadows, 16, &mut stream);
            let shift = if patient % 10 == 0 { shift } else { 0.0 };
            let signals: Vec<f64> = (0..shadows)
                .map(|s| stream.normal_f64() + shift * (column[s / 64] >> (s % 64) & 1) as f64)
                .collect();
            tester.test(&signals, &column).unwrap().p
        })
        .collect();
    let q = benjamini_hochberg(&p);
    let found = (0..patients).step_by(10).filter(|&patient| q[patient] <= 0.05).count();
    found as f64 / patients.div_ceil(10) as f64
}

/// Expected: `vectors/simulate_power.py`.
#[test]
fn more_shadows_find_weaker_leaks() {
    let (auc_75, auc_90) = (0.953_872_552_417_115_4, 1.812_387_604_873_646_7);
    for (shadows, shift, stated) in [
        (32, auc_75, 0.27),
        (32, auc_90, 0.98),
        (64, auc_75, 0.81),
        (64, auc_90, 1.0),
        (128, auc_75, 0.99),
        (128, auc_90, 1.0),
    ] {
        let found = power_of_one_record(shadows, shift);
        assert!((found - stated).abs() < 0.06, "{shadows} shadows, shift {shift}: {found}, stated {stated}");
    }
}

/// Everybody leaks a little: AUC .60. How many are detected is a matter of the number of shadows; that
/// nobody is recognisable at .75 is not.
#[test]
fn detection_grows_with_shadows_and_recognition_does_not() {
    let shift = 0.358_286_909_242_583_3;
    let mut shares = Vec::new();
    for shadows in [64, 128, 256, 512] {
        let audit =
            Audit::draw(5, (shadows, 16), &[1; 400], |_, _, inside, x| if inside { x + shift } else { x });
        let config = Config {
            attacks: Vec::new(),
            bootstrap: 0,
            calibrated: false,
            permutations: 1,
            ..Config::default()
        };
        let found = &audit.analyse(&config).summary;
        shares.push(found.detected as f64 / 400.0);
        assert_eq!(found.recognisable, [0; 3], "at {shadows} shadows");
        assert_eq!(found.mirror, 0, "at {shadows} shadows");
        assert!((found.mean_auc - 0.6).abs() < 0.01);
    }
    assert!(shares.windows(2).all(|pair| pair[0] < pair[1]), "{shares:?}");
    assert!(shares[0] < 0.35 && shares[3] > 0.95, "{shares:?}");
}
