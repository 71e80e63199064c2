//! Arrays that are wrong, or do not belong together: one sentence each, exit code 2, nothing written.

use std::fs;

use crate::arrays::{Plan, World, npy, wide};

/// What the command says about one replaced array.
fn said(world: &World, option: &str, bytes: &[u8]) -> String {
    let name = "wrong.npy";
    world.save(name, bytes);
    let done = world.attack("out", &[option, name]).expect(2);
    assert!(!world.path().join("out").exists(), "nothing is left behind: {done:?}");
    let last = done.err.lines().last().unwrap_or_default().to_owned();
    assert!(last.contains("wrong.npy: "), "{done:?}");
    last
}

#[test]
fn a_wrong_array_is_named_with_what_is_wrong_and_the_remedy() {
    let world = World::new(Plan::default());
    let (shadows, records) = (world.plan.shadows, world.records());
    let logits = npy("<f4", &world.shape(), world.singles());
    let mut both = world.bits();
    both[3 * records + 1] ^= 1;
    let mut labels = world.labels.clone();
    labels[7] = 2;
    for (option, bytes, expected) in [
        ("--logits", logits[..logits.len() - 4].to_vec(), "it was cut off; save or copy it again"),
        ("--logits", [&logits[..], b"tail"].concat(), "4 bytes follow its array"),
        ("--logits", b"PK\x03\x04".to_vec(), "it is an NPZ archive"),
        (
            "--logits",
            npy("<f4", &[shadows, records], world.singles()[..4 * shadows * records].to_vec()),
            "give [shadows, records, classes]",
        ),
        (
            "--logits",
            npy("<i4", &world.shape(), world.singles()),
            "it holds int32; give logits as float32 or float64",
        ),
        (
            "--labels",
            npy("<i8", &[records - 1], wide(&world.labels[1..])),
            "it is [199], there are logits of 200 records",
        ),
        (
            "--labels",
            npy("<i8", &[records], wide(&labels)),
            "record 7 has label 2, but the logits know the classes 0 to 1 only",
        ),
        (
            "--labels",
            npy("<f8", &[records], wide(&world.labels)),
            "it holds float64; give labels as whole numbers",
        ),
        (
            "--labels",
            npy("|u1", &[records, 2], vec![7; 2 * records]),
            "record 0 has 7 for label 0; give 1 where it holds",
        ),
        ("--membership", npy("|b1", &[records, shadows], world.bits()), "give [32, 200]"),
        ("--membership", npy("|u1", &[shadows, records], both), "shadow 3 was trained on record"),
        (
            "--membership",
            npy("|u1", &[shadows, records], vec![2; shadows * records]),
            "shadow 0 has 2 for record 0",
        ),
        (
            "--membership",
            npy("<f4", &[shadows, records], vec![0; 4 * shadows * records]),
            "membership.astype(bool)",
        ),
        ("--units", npy("<U1", &[records], vec![0; 4 * records]), "record 0 has no unit"),
        ("--units", npy("<f8", &[records], wide(&world.units)), "give units as whole numbers or text"),
    ] {
        let sentence = said(&world, option, &bytes);
        assert!(sentence.contains(expected), "{option}: {sentence}");
    }
}

#[test]
fn mistakes_of_arguments_and_files_come_together() {
    let world = World::new(Plan::default());
    let done = world
        .attack("out", &["--variance", "none", "--fdr", "7", "--labels", "absent.npy", "--units", "Y.npy/"]);
    let done = done.expect(2);
    for part in [
        "--variance: variance 'none' does not exist",
        "--fdr: 7 is out of range",
        "absent.npy: cannot be read",
    ] {
        assert!(done.err.contains(part), "{part}: {done:?}");
    }
    assert_eq!(done.err.lines().count(), 4, "{done:?}");
    world.attack("out", &["--population-logits", "L.npy"]).expect(2);
    let done = world.attack("out", &["--attack", "rmia"]).expect(2);
    assert!(done.err.contains("--population-logits and --population-labels"), "{done:?}");
}

#[test]
fn a_negative_number_is_refused_by_the_range_of_its_flag() {
    let world = World::new(Plan::default());
    for (flag, number, range) in [
        ("--gamma", "-1", "--gamma: -1 is out of range; give a positive number"),
        ("--gamma", "-1e-3", "--gamma: -0.001 is out of range; give a positive number"),
        ("--rmia-a", "-0.5", "--rmia-a: -0.5 is out of range; give a number from 0 to 1"),
        ("--temperature", "-2", "--temperature: -2 is out of range; give a positive number"),
        ("--fdr", "-0.05", "--fdr: -0.05 is out of range; give a rate between 0 and 1"),
        ("--delta", "-1e-5", "--delta: -0.00001 is out of range; give a number from 0 to below 1"),
        ("--looks", "-1", "invalid value '-1' for '--looks <N>': -1 is not in 1..=1000"),
        ("--bootstrap", "-1", "invalid value '-1' for '--bootstrap <N>': -1 is not in 0..=100000"),
        ("--threads", "-1", "invalid value '-1' for '--threads <N>': -1 is not in 1..=1024"),
        ("--seed", "-1", "invalid value '-1' for '--seed <N>': give a whole number from 0 to"),
    ] {
        let done = world.attack("out", &[flag, number]).expect(2);
        assert!(done.err.contains(range), "{done:?}");
    }
}

#[test]
fn a_folder_with_files_in_it_is_left_alone() {
    let world = World::new(Plan::default());
    fs::create_dir(world.path().join("thesis")).unwrap();
    fs::write(world.path().join("thesis/chapter.tex"), b"x").unwrap();
    let done = world.attack("thesis", &[]).expect(2);
    assert!(
        done.err.contains("thesis holds files such as chapter.tex already: name a new folder with --out"),
        "{done:?}"
    );
    assert_eq!(fs::read_dir(world.path().join("thesis")).unwrap().count(), 1);
}
