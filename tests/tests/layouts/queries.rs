//! An audit that asks other questions of shadows that are there.

use std::fs;

use umbra_tests::{Audit, Cluster, Findings, turn};

/// Runs the audit file `text` to its end.
fn run(cluster: &Cluster, text: &str) -> (Findings, serde_json::Value) {
    let file = cluster.folder().join("kept.toml");
    fs::write(&file, text).expect("a test can write to its folder");
    let submitted = cluster.ask(&["audit", "submit", &file.display().to_string()]).expect(0).json();
    let id = submitted["id"].as_str().expect("an audit has an id").to_owned();
    let findings = cluster.findings(&id);
    let run = fs::read(cluster.folder().join(format!("findings-of-{id}/run.json"))).expect("there is one");
    (findings, serde_json::from_slice(&run).expect("it is JSON"))
}

#[test]
fn other_queries_of_shadows_that_are_there_find_what_training_finds() {
    let _turn = turn();
    let audit = Audit { epochs: 4, ..Audit::tiny() };
    // `[placement]` is the last table of the file.
    let text = |views: u32| {
        format!("{}keep_weights = true\n[augment]\nnoise = 0.2\n[queries]\nviews = {views}\n", audit.text())
    };
    let cluster = Cluster::start(30);
    let _worker = cluster.worker("a", 2);
    let (one, first) = run(&cluster, &text(1));
    let (three, second) = run(&cluster, &text(3));
    let packs = audit.packs();
    let told = |run: &serde_json::Value| {
        ["packs_queried", "packs_resumed", "packs_reused"].map(|key| run[key].as_u64().expect("a number"))
    };
    assert_eq!((told(&first), told(&second)), ([0, 0, 0], [packs, 0, 0]));
    assert_ne!(one.digest("scores-lira-online.npy"), three.digest("scores-lira-online.npy"));

    let fresh = Cluster::start(30);
    let _worker = fresh.worker("a", 2);
    let (trained, third) = run(&fresh, &text(3));
    assert_eq!(told(&third), [0, 0, 0]);
    trained.assert_same(&three, "asked and trained");
    // One view of what was trained for three: of the very shadows.
    let (asked, fourth) = run(&fresh, &text(1));
    assert_eq!(told(&fourth), [packs, 0, 0]);
    asked.assert_same(&one, "trained and asked");
}
