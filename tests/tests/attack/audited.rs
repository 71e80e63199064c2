//! An audit's own logits, put to `umbra attack`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use umbra_data::Dataset;
use umbra_data::logits::LogitsReader;
use umbra_tests::{Audit, turn, umbra};

use crate::arrays::{npy, wide};

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// An audit that is run, and its logits and labels, as arrays.
struct Audited {
    folder: TempDir,
    shadows: usize,
    records: usize,
    /// `[shadow][record][class]`, little-endian.
    logits: Vec<u8>,
    labels: Vec<u32>,
}

impl Audited {
    /// Runs the audit file `text` with two classes.
    fn run(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("audit.toml"), text).unwrap();
        umbra(folder.path(), &["run", "audit.toml", "--out", "audit", "--keep-state"]).expect(0);
        let state = files(&folder.path().join("audit/.state"));
        let dataset = state.iter().find_map(|path| Dataset::open(path).ok()).expect("the data set is kept");
        let mut packs: Vec<LogitsReader> =
            state.iter().filter_map(|path| LogitsReader::open(path).ok()).collect();
        packs.sort_by_key(|pack| pack.header().first_shadow);
        let records = dataset.labels().records();
        let mut logits = Vec::new();
        for pack in &packs {
            let (width, classes) = (pack.header().shadows as usize, pack.header().classes as usize);
            let mut values = vec![0f32; records * classes * width];
            pack.read(0..records as u64, &mut values).unwrap();
            for shadow in 0..width {
                logits
                    .extend(values.iter().skip(shadow).step_by(width).flat_map(|value| value.to_le_bytes()));
            }
        }
        let shadows = packs.iter().map(|pack| pack.header().shadows as usize).sum();
        let labels = dataset.labels().classes().unwrap().to_vec();
        let audited = Self { folder, shadows, records, logits, labels };
        audited.save("L.npy", npy("<f4", &[shadows, records, 2], audited.logits.clone()));
        audited.save("Y.npy", audited.numbers(&audited.labels));
        audited.save("U.npy", audited.numbers(dataset.record_units()));
        audited
    }

    fn save(&self, name: &str, bytes: Vec<u8>) {
        fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    fn numbers(&self, values: &[u32]) -> Vec<u8> {
        let values: Vec<usize> = values.iter().map(|&value| value as usize).collect();
        npy("<i8", &[values.len()], wide(&values))
    }

    /// Has `umbra attack` compute the same and asserts that it does.
    fn assert_same(&self, attacks: &str, more: &[&str]) {
        let arguments = format!(
            "attack --logits L.npy --labels Y.npy --membership audit/membership.npy --units U.npy --variance \
             per-record --design blocks:8 --out attack --attack {attacks}"
        );
        let arguments: Vec<&str> = arguments.split(' ').chain(more.iter().copied()).collect();
        umbra(self.folder.path(), &arguments).expect(0);
        let read = |out: &str, name: &str| fs::read(self.folder.path().join(out).join(name)).unwrap();
        for name in attacks.split(',').map(|attack| format!("scores-{attack}.npy")) {
            assert!(read("audit", &name) == read("attack", &name), "{name}");
        }
        let patients = |out: &str| {
            let summary: Value = serde_json::from_slice(&read(out, "summary.json")).unwrap();
            summary["patients"].clone()
        };
        assert!(patients("audit") == patients("attack"), "figures of patients");
    }
}

#[test]
fn an_audit_and_its_logits_in_an_array_give_the_same_scores() {
    let _turn = turn();
    let audit = Audit::tiny();
    let audited = Audited::run(&audit.text());
    assert_eq!(audited.shadows, audit.shadows as usize, "every pack is there once");
    audited.assert_same("lira-online,global", &[]);
}

/// Patients that no shadow was trained on: the audit compares with them, and does not test them.
#[test]
fn an_audit_reserves_a_population_for_the_robust_attack() {
    let _turn = turn();
    let text = Audit::tiny().text().replace("[shadows]\n", "[shadows]\npopulation = 0.1\n");
    let text = format!("{text}[statistics]\nattacks = [\"lira-online\", \"rmia\", \"global\"]\n");
    let audited = Audited::run(&text);
    let out = audited.folder.path().join("audit");
    let membership = fs::read(out.join("membership.npy")).unwrap();
    let membership = &membership[membership.len() - audited.shadows * audited.records..];
    let inside = |record: usize| membership.iter().skip(record).step_by(audited.records).any(|&bit| bit == 1);
    let reserved: Vec<usize> = (0..audited.records).filter(|&record| !inside(record)).collect();
    // 9,105 patients of one record each, of whom a tenth is expected; five standard errors.
    assert!((767..1054).contains(&reserved.len()), "{}", reserved.len());
    let (row, each) = (audited.records * 8, 0..audited.shadows);
    let of = |shadow: usize| reserved.iter().map(move |record| shadow * row + record * 8);
    let logits = each.flat_map(of).flat_map(|at| audited.logits[at..at + 8].to_vec()).collect();
    audited.save("P.npy", npy("<f4", &[audited.shadows, reserved.len(), 2], logits));
    let labels: Vec<u32> = reserved.iter().map(|&record| audited.labels[record]).collect();
    audited.save("PY.npy", audited.numbers(&labels));
    let population = ["--population-logits", "P.npy", "--population-labels", "PY.npy"];
    audited.assert_same("lira-online,rmia,global", &population);

    let summary: Value = serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    let tested = audited.records - reserved.len();
    assert_eq!(summary["patients"]["units"].as_u64(), Some(tested as u64));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("were kept out of all of them for comparison"));
}
