//! An audit's own logits, put to `umbra attack`.

use std::fs;
use std::path::{Path, PathBuf};

use umbra_data::Dataset;
use umbra_data::logits::LogitsReader;
use umbra_tests::{Audit, turn, umbra};

use crate::arrays::{npy, wide};

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn an_audit_and_its_logits_in_an_array_give_the_same_scores() {
    let _turn = turn();
    let audit = Audit::tiny();
    let folder = tempfile::tempdir().unwrap();
    let file = audit.write(folder.path()).display().to_string();
    umbra(folder.path(), &["run", &file, "--out", "audit", "--keep-state"]).expect(0);
    let state = files(&folder.path().join("audit/.state"));
    let dataset = state.iter().find_map(|path| Dataset::open(path).ok()).expect("the data set is kept");
    let mut packs: Vec<LogitsReader> =
        state.iter().filter_map(|path| LogitsReader::open(path).ok()).collect();
    packs.sort_by_key(|pack| pack.header().first_shadow);

    let records = dataset.labels().records();
    let shadows: u32 = packs.iter().map(|pack| pack.header().shadows).sum();
    assert_eq!(shadows, audit.shadows, "every pack is there once");
    let mut items = Vec::new();
    for pack in &packs {
        let (width, classes) = (pack.header().shadows as usize, pack.header().classes as usize);
        let mut values = vec![0f32; records * classes * width];
        pack.read(0..records as u64, &mut values).unwrap();
        for shadow in 0..width {
            items.extend(values.iter().skip(shadow).step_by(width).flat_map(|value| value.to_le_bytes()));
        }
    }
    let numbers = |values: &[u32]| wide(&values.iter().map(|&value| value as usize).collect::<Vec<_>>());
    let save = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    save("L.npy", npy("<f4", &[shadows as usize, records, 2], items));
    save("Y.npy", npy("<i8", &[records], numbers(dataset.labels().classes().unwrap())));
    save("U.npy", npy("<i8", &[records], numbers(dataset.record_units())));

    let arguments = [
        "attack",
        "--logits",
        "L.npy",
        "--labels",
        "Y.npy",
        "--membership",
        "audit/membership.npy",
        "--units",
        "U.npy",
        "--attack",
        "lira-online,global",
        "--variance",
        "per-record",
        "--design",
        "blocks:8",
        "--out",
        "attack",
    ];
    umbra(folder.path(), &arguments).expect(0);
    let read = |out: &str, name: &str| fs::read(folder.path().join(out).join(name)).unwrap();
    for name in ["scores-lira-online.npy", "scores-global.npy"] {
        assert!(read("audit", name) == read("attack", name), "{name}");
    }
    let patients = |out: &str| {
        let summary: serde_json::Value = serde_json::from_slice(&read(out, "summary.json")).unwrap();
        summary["patients"].clone()
    };
    assert_eq!(patients("audit"), patients("attack"));
}
