//! What the patient test finds where something leaks: the power stated by `vectors/simulate_forward.py` and
//! `vectors/simulate_power.py`.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use support::{column, correlated};
use umbra_core::seed::{Purpose, Seed};
use umbra_stats::{Design, PatientTester};

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
