//! Whole clusters in a simulated network and time: three coordinators over one meta store, eight workers and a
//! client, with the real gRPC stack between them, under crashes, partitions, delays and a store that is away or
//! loses answers.
//!
//! `UMBRA_SIM_SEEDS=N` plays N histories (3 unless set), `UMBRA_SIM_SEED=S` begins at seed S. A history that fails
//! says how to replay it: the same hosts fare the same at the same simulated times. What threads do between two ticks
//! of the simulated clock is the machine's, so that two plays of a seed may differ in what else happens.
#![allow(clippy::unwrap_used)]

mod client;
mod history;
mod net;
mod rules;
mod stage;
mod store;

use history::{Played, play};

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[test]
fn any_history_ends_with_the_same_findings() {
    let undisturbed = play(0, false).unwrap();
    assert!(undisturbed.findings.len() >= 6, "{:?}", undisturbed.findings.keys());
    assert_eq!(undisturbed.terms, 1);
    let (first, seeds) = (number("UMBRA_SIM_SEED", 1), number("UMBRA_SIM_SEEDS", 3));
    println!("UMBRA_SIM_SEED={first} UMBRA_SIM_SEEDS={seeds}; undisturbed: {}", told(&undisturbed));
    let (mut terms, mut faults) = (0, 0);
    for seed in first..first + seeds {
        let replay =
            format!("UMBRA_SIM_SEED={seed} UMBRA_SIM_SEEDS=1 cargo test -p umbra-tests --test simulation");
        let played =
            play(seed, true).unwrap_or_else(|error| panic!("seed {seed}: {error}\nreplay: {replay}"));
        println!("seed {seed}: {}", told(&played));
        for (name, bytes) in &undisturbed.findings {
            let same = played.findings.get(name) == Some(bytes);
            assert!(same, "seed {seed}: {name} differs; faults: {:#?}\nreplay: {replay}", played.faults);
        }
        terms += played.terms;
        faults += played.faults.len() as u64;
    }
    assert!(terms > seeds && faults > 5 * seeds, "{seeds} histories with {terms} terms and {faults} faults");
}

fn told(played: &Played) -> String {
    format!(
        "{:.0} s, {} faults, {} terms, {} transactions",
        played.took.as_secs_f64(),
        played.faults.len(),
        played.terms,
        played.transactions
    )
}
