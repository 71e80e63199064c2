//! What is found, for every kind of array.

use std::fs;

use crate::arrays::{Draw, Plan, World, npy, ordered};

const FILES: [&str; 5] =
    ["patients.parquet", "records.parquet", "scores-global.npy", "scores-lira-online.npy", "summary.json"];

/// The two attacks that every kind of array can be compared by.
const TWO: [&str; 2] = ["--attack", "lira-online,global"];

fn names(world: &World, out: &str) -> Vec<String> {
    let entries = fs::read_dir(world.path().join(out)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The signal is the label's logit less the other's, or the logit with the label's sign, averaged over the
/// queries: the global attack's score.
fn signals(world: &World) -> Vec<f64> {
    let Plan { queries, classes, .. } = world.plan;
    let records = world.logits.chunks_exact(queries * classes).enumerate();
    records
        .map(|(place, logits)| {
            let label = world.labels[place % world.records()];
            let of = |query: &[f64]| match query {
                [logit] => {
                    if label == 1 {
                        *logit
                    } else {
                        -logit
                    }
                }
                _ => query[label] - query[1 - label],
            };
            logits.chunks_exact(classes).map(of).sum::<f64>() / queries as f64
        })
        .collect()
}

#[test]
fn every_file_appears_and_the_headlines_are_printed() {
    let world = World::new(Plan::default());
    let done = world.attack("out", &TWO).expect(0);
    assert_eq!(names(&world, "out"), FILES);
    assert!(
        done.out.contains("Detectably remembered:") && done.out.contains("Findings:               out"),
        "{done:?}"
    );
    assert!(done.err.contains("design blocks:16: blocks of 16 shadows"), "{done:?}");
    let summary = world.summary("out");
    assert_eq!(summary["design"]["shadows"], 32);
    assert_eq!(summary["patients"]["units"], 150);
    assert_eq!(summary["records"]["records"], 200);
    let auc = |attack: &str| summary["attacks"][attack]["auc"].as_f64().unwrap();
    assert!(auc("lira-online") > auc("global") && auc("global") > 0.5, "{summary}");

    let json = world.attack("json", &[&TWO[..], &["--format", "json"]].concat()).expect(0);
    assert!(json.out.lines().all(|line| line.starts_with("{\"")), "{json:?}");
    assert_eq!(json.json()["event"], "done");
    assert_eq!(json.json()["patients"]["detected"], summary["patients"]["detected"]);
}

#[test]
fn scores_are_those_of_the_logits_whatever_the_array_looks_like() {
    for (queries, classes) in [(1, 1), (1, 2), (4, 2)] {
        let world = World::new(Plan { queries, classes, ..Plan::default() });
        world.attack("single", &TWO).expect(0);
        for (score, signal) in world.scores("single", "global").iter().zip(signals(&world)) {
            assert!((score - signal).abs() < 1e-12, "{score} {signal}");
        }
        world.save("L8.npy", &npy("<f8", &world.shape(), world.doubles()));
        world.save("LF.npy", &ordered("<f4", true, &world.shape(), world.fortran()));
        for (out, logits) in [("double", "L8.npy"), ("fortran", "LF.npy")] {
            world.attack(out, &[&TWO[..], &["--logits", logits]].concat()).expect(0);
            // The numbers are single-precision ones in all three.
            for file in FILES {
                assert!(world.found("single", file) == world.found(out, file), "{out}/{file}");
            }
        }
    }
}

#[test]
fn no_byte_depends_on_the_number_of_threads() {
    let world = World::new(Plan::default());
    for threads in ["1", "3"] {
        world.attack(threads, &[&TWO[..], &["--threads", threads]].concat()).expect(0);
    }
    for file in FILES {
        assert!(world.found("1", file) == world.found("3", file), "{file}");
    }
}

#[test]
fn designs_are_recognised_and_can_be_named() {
    for (draw, name) in [
        (Draw::Blocks(8), "blocks:8"),
        (Draw::Pairs, "pairs"),
        (Draw::Halves, "pairs"),
        (Draw::Exact, "exact"),
        (Draw::Bernoulli, "bernoulli"),
    ] {
        let world = World::new(Plan { draw, ..Plan::default() });
        let done = world.attack("found", &TWO).expect(0);
        assert!(done.err.contains(&format!("umbra: design {name}: ")), "{done:?}");
        assert_eq!(done.err.contains("pairs of shadows k and k + 16: "), draw == Draw::Halves, "{done:?}");
        world.attack("named", &[&TWO[..], &["--design", name]].concat()).expect(0);
        for file in ["scores-lira-online.npy", "patients.parquet"] {
            assert!(world.found("found", file) == world.found("named", file), "{name}: {file}");
        }
    }
}

#[test]
fn a_wrong_design_is_refused_by_its_flag_with_the_one_that_fits() {
    let coins = World::new(Plan { draw: Draw::Bernoulli, ..Plan::default() });
    let blocks = World::new(Plan { draw: Draw::Blocks(16), ..Plan::default() });
    for (world, name, sentence) in [
        (&coins, "exact", "of the 32 shadows of block 0, not in half of them: membership was not drawn so;"),
        (&blocks, "blocks:7", "blocks of 7 shadows cannot hold every unit exactly half; give an even size"),
        (&blocks, "blocks:10", "32 shadows are not whole blocks of 10; name a size that divides them"),
        (&blocks, "blocks:0", "blocks of 0 shadows cannot hold"),
        (&blocks, "pairs", "of the 2 shadows of block 0"),
        (&blocks, "blocks:4", "of the 4 shadows of block 0"),
    ] {
        let done = world.attack("out", &["--design", name]).expect(2);
        let last = done.err.lines().last().unwrap_or_default();
        assert!(last.contains(&format!("--design {name}: ")) && last.contains(sentence), "{done:?}");
        let fits = if std::ptr::eq(world, &coins) { "bernoulli" } else { "blocks:16" };
        assert!(last.ends_with(&format!("(it looks like {fits}), or leave --design out")), "{done:?}");
        assert!(!last.contains(".npy"), "no file is at fault: {done:?}");
        assert!(!world.path().join("out").exists());
    }
}

#[test]
fn units_may_be_text_and_every_record_may_be_alone() {
    let world = World::new(Plan::default());
    world.attack("numbers", &TWO).expect(0);
    let texts = world.units.iter().flat_map(|unit| {
        let name: Vec<u8> = format!("Pat {unit:>3}").chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
        name
    });
    world.save("T.npy", &npy("<U7", &[world.records()], texts.collect()));
    world.attack("texts", &[&TWO[..], &["--units", "T.npy"]].concat()).expect(0);
    assert!(world.found("numbers", "summary.json") == world.found("texts", "summary.json"));
    assert!(world.found("texts", "patients.parquet") != world.found("numbers", "patients.parquet"));

    let alone: Vec<&str> = crate::arrays::arguments("alone", &TWO)
        .into_iter()
        .filter(|word| !["--units", "U.npy"].contains(word))
        .collect();
    umbra_tests::umbra(world.path(), &alone).expect(0);
    assert_eq!(world.summary("alone")["patients"]["units"], 200);
}

#[test]
fn epsilon_is_bounded_at_the_delta_that_was_named() {
    let world = World::new(Plan::default());
    world.attack("plain", &TWO).expect(0);
    world.attack("loose", &[&TWO[..], &["--delta", "0.2"]].concat()).expect(0);
    let [plain, loose] = ["plain", "loose"].map(|out| world.summary(out)["patients"].clone());
    assert_eq!((&plain["delta"], &loose["delta"]), (&1e-5.into(), &0.2.into()));
    // The most that 16 against 16 can prove, by hand: ln((l - delta) / (1 - l)) with l = .025^(1/16) = 0.794093.
    let cap = |patients: &serde_json::Value| patients["detection_limit"]["epsilon_alone"].as_f64().unwrap();
    assert!((cap(&plain) - 1.34976).abs() < 1e-4 && (cap(&loose) - 1.05961).abs() < 1e-4, "{plain} {loose}");
}

#[test]
fn lost_shadows_are_found_and_told() {
    let mut world = World::new(Plan::default());
    let row = world.logits.len() / world.plan.shadows;
    world.logits[5 * row..6 * row].fill(f64::NAN);
    world.save("L.npy", &npy("<f4", &world.shape(), world.singles()));
    let done = world.attack("out", &TWO).expect(0);
    assert!(
        done.err.contains("warning: 1 of 32 shadows gave no finite logit and are left out (number 5)"),
        "{done:?}"
    );
    let summary = world.summary("out");
    assert_eq!(summary["design"]["lost"], serde_json::json!([5]));
    assert_eq!(summary["attacks"]["global"]["targets"], 31);
}

/// Three labels a record, some of them not known: one sigmoid logit each.
#[test]
fn several_labels_a_record_add_up() {
    let world = World::new(Plan { classes: 3, ..Plan::default() });
    let labels: Vec<u8> = (0..3 * world.records()).map(|place| [1, 0, 255, 0, 1][place % 5]).collect();
    world.save("Y.npy", &npy("|u1", &[world.records(), 3], labels.clone()));
    world.attack("out", &TWO).expect(0);
    let expected = world.logits.chunks_exact(3).enumerate().map(|(place, logits)| {
        let record = place % world.records();
        let signal = |label: usize| match labels[3 * record + label] {
            1 => logits[label],
            0 => -logits[label],
            _ => 0.0,
        };
        signal(0) + signal(1) + signal(2)
    });
    for (score, signal) in world.scores("out", "global").iter().zip(expected) {
        assert!((score - signal).abs() < 1e-12, "{score} {signal}");
    }
    let table = world.found("out", "records.parquet");
    let has = |text: &[u8]| table.windows(text.len()).any(|part| part == text);
    assert!(has(b"1,0,-") && has(b"0,1,1"), "labels are written as they were given");
}

#[test]
fn a_population_lets_rmia_compare() {
    let world = World::new(Plan::default());
    let population: Vec<u8> = (0..32 * 50 * 2).flat_map(|i| ((i % 7) as f32 - 3.0).to_le_bytes()).collect();
    world.save("P.npy", &npy("<f4", &[32, 50, 2], population));
    world.save("PY.npy", &npy("|u1", &[50], (0..50).map(|i| i % 2).collect()));
    let with = ["--population-logits", "P.npy", "--population-labels", "PY.npy"];
    world.attack("all", &with).expect(0);
    let attacks = ["lira-online", "lira-offline", "rmia", "base", "global"];
    for attack in attacks {
        let scores = world.scores("all", attack);
        assert!(scores.iter().all(|score| score.is_finite()), "{attack}");
    }
    // The share of the population that a record beats.
    let shares = world.scores("all", "rmia");
    assert!(shares.iter().all(|share| (0.0..=1.0).contains(share) && (share * 50.0).fract().abs() < 1e-9));

    let done = world.attack("offline", &[&with[..], &["--rmia-a", "0.4"]].concat()).expect(0);
    assert!(done.err.contains("rmia runs offline with a = 0.4"), "{done:?}");
    let settings = |out: &str| world.summary(out)["settings"].clone();
    assert_eq!(settings("all")["rmia_a"], serde_json::Value::Null);
    assert_eq!(
        (&settings("offline")["rmia_a"], &settings("offline")["base_offline"]),
        (&0.4.into(), &false.into())
    );
    assert_ne!(world.scores("offline", "rmia"), shares);
    assert_eq!(world.scores("offline", "base"), world.scores("all", "base"), "base stays online");
    world.attack("both", &[&with[..], &["--offline"]].concat()).expect(0);
    assert_ne!(world.scores("both", "base"), world.scores("all", "base"));
    assert_eq!((&settings("both")["rmia_a"], &settings("both")["base_offline"]), (&0.3.into(), &true.into()));

    world.save("P.npy", &npy("<f4", &[31, 50, 2], vec![0; 31 * 50 * 8]));
    let done = world.attack("out", &with).expect(2);
    assert!(done.err.contains("query the same shadows in the same way about both"), "{done:?}");
}
