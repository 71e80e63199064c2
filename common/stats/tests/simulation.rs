//! What `vectors/simulate_power.py` and exact probabilities say: no findings where nothing leaks, and the stated
//! power where something does.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use support::{Audit, blocked};
use umbra_core::seed::Purpose;
use umbra_stats::{AttackKind, Config, Design, Variance, detection_limit, provisional};

/// Distance of the means of unit normals with a given AUC: sqrt(2) times the normal quantile.
const SHIFT_75: f64 = 0.953_872_552_417_115_4;
const SHIFT_90: f64 = 1.812_387_604_873_646_7;

#[test]
fn permuted_membership_finds_nothing() {
    let (runs, patients) = (200, 300);
    let config = Config { permutations: 1, bootstrap: 0, ..Config::default() };
    let (mut any, mut mirror, mut outside, mut auc, mut small) = (0, 0, 0, 0.0, 0);
    for run in 0..runs {
        // A strong leak, and then the columns are drawn anew: heavy-tailed signals with a common part,
        // a third of the patients with four records.
        let records_of: Vec<usize> = (0..patients).map(|unit| if unit % 3 == 0 { 4 } else { 1 }).collect();
        let mut audit = Audit::draw(1000 + run, (64, 16), &records_of, |shadow, record, inside, x| {
            x * x * x + 3.0 * f64::from(u8::from(inside)) + ((shadow * 7 + record) % 5) as f64
        });
        audit.membership = blocked(64, patients, 16, &mut audit.seed.stream(Purpose::Membership, &[1]));
        let found = audit.analyse(&config);
        any += u32::from(found.summary.detected > 0);
        mirror += u32::from(found.summary.mirror > 0);
        let curve = &found.survival;
        outside += u32::from(
            (0..curve.auc.len())
                .any(|i| curve.observed[i] < curve.low[i] || curve.observed[i] > curve.high[i]),
        );
        small += found.tables.patients.p.iter().filter(|&&p| p <= 0.01).count();
        let lira = &found.attacks[0];
        assert_eq!(lira.attack, AttackKind::LiraOnline);
        auc += lira.figures.auc / runs as f64;
    }
    // Binomial(200, .05): 21 or more have probability .001.
    assert!(any < 21 && mirror < 21, "{any} runs of {runs} found somebody, {mirror} on the mirror side");
    assert!(outside < 21, "the survival curve left its band in {outside} runs of {runs}");
    // The size at .01 is .00935 without ties; the standard error of 60,000 patients is .0004.
    let size = small as f64 / (runs as usize * patients) as f64;
    assert!((0.0078..0.0109).contains(&size), "size {size}");
    assert!((auc - 0.5).abs() < 0.002, "pooled AUC {auc}");
}

#[test]
fn planted_leaks_are_found_with_the_stated_power() {
    // 9,105 patients, every tenth leaky, 64 shadows: .807 +- .020 a run at AUC .75, all at AUC .9.
    for (shift, power) in [(SHIFT_75, 0.807), (SHIFT_90, 1.0)] {
        let audit =
            Audit::draw(
                7,
                (64, 16),
                &[1; 9105],
                |_, record, inside, x| {
                    if inside && record % 10 == 0 { x + shift } else { x }
                },
            );
        let config = Config { attacks: Vec::new(), ..Config::default() };
        let found = audit.analyse(&config);
        let leaky = (0..9105).filter(|unit| unit % 10 == 0);
        let detected = leaky.filter(|&unit| found.tables.patients.detected[unit]).count();
        assert!((detected as f64 / 911.0 - power).abs() < 0.06, "{detected} of 911, stated {power}");
        let false_share = (found.summary.detected - detected) as f64 / found.summary.detected as f64;
        assert!(false_share < 0.08, "false discoveries {false_share}");
        assert!(found.summary.mirror <= 2);
    }
}

#[test]
fn shrunk_lira_sees_what_a_global_threshold_does_not() {
    // Records differ in level far more than membership shifts them.
    let audit = Audit::draw(3, (32, 16), &[1; 1500], |_, record, inside, x| {
        x + f64::from(u8::from(inside)) + 10.0 * libm::sin(record as f64)
    });
    let found = audit.analyse(&Config { variance: Variance::Shrunk, bootstrap: 0, ..Config::default() });
    let auc: Vec<f64> = found.attacks.iter().map(|attack| attack.figures.auc).collect();
    // An ideal attack on a shift of 1 has AUC Phi(1 / sqrt 2) = .760; estimated means cost a little.
    assert!((0.735..0.765).contains(&auc[0]), "{auc:?}");
    assert!((0.5..0.56).contains(&auc[1]), "{auc:?}");
    let running = provisional(&audit.inputs()).unwrap().unwrap();
    assert!((0.72..0.765).contains(&running.auc), "{running:?}");
    assert_eq!(running.scored, 16 * 1500);
}

#[test]
fn the_detection_limit_is_known_beforehand() {
    let at = |shadows| detection_limit(&Design::blocks(16), shadows, 9105, &Config::default()).unwrap();
    let limit = at(64);
    // C(16, 8) = 12870 choices in each of four blocks.
    assert!((limit.least_p * 12870f64.powi(4) - 1.0).abs() < 1e-12);
    assert!((limit.null_sd - 0.0744).abs() < 5e-5);
    // The bound at A^ = 1 is alpha^(1/n), n half the shadows: by hand, for alpha .05 and .05 / 9105.
    for (shadows, alone, worst) in
        [(64, 0.9106, 0.6849), (128, 0.9543, 0.8276), (256, 0.9769, 0.9097), (512, 0.9884, 0.9538)]
    {
        let limit = at(shadows);
        assert!((limit.bound_alone - alone).abs() < 1e-4 && (limit.bound_worst - worst).abs() < 1e-4);
    }
    // One block of 8 cannot tell one patient of 9,105.
    let hopeless = detection_limit(&Design::blocks(8), 8, 9105, &Config::default()).unwrap();
    assert!(hopeless.detectable_auc.is_nan() && hopeless.least_q == 1.0);
    // Under the normal approximation p = .05 / 9105 is 4.40 standard deviations: AUC .827.
    assert!((limit.detectable_auc - 0.82).abs() < 0.015, "{limit:?}");
}
