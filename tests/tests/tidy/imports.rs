//! Which crate may import which: layers point down.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::repository::{File, assert_tidy, files};

/// What each crate may import of the workspace. `runtime` names core for digests and for jitter from the
/// seed tree, the only source of randomness.
const MAY_IMPORT: [(&str, &[&str]); 10] = [
    ("umbra-core", &[]),
    ("umbra-stats", &["umbra-core"]),
    ("umbra-data", &["umbra-core"]),
    ("umbra-runtime", &["umbra-core"]),
    ("umbra-proto", &["umbra-core"]),
    ("umbra-train", &["umbra-core", "umbra-data"]),
    ("umbra-coordinator", &["umbra-core", "umbra-stats", "umbra-data", "umbra-runtime", "umbra-proto"]),
    ("umbra-worker", &["umbra-core", "umbra-data", "umbra-runtime", "umbra-proto", "umbra-train"]),
    ("umbra", ALL),
    ("umbra-tests", ALL),
];

const ALL: &[&str] = &[
    "umbra-core",
    "umbra-stats",
    "umbra-data",
    "umbra-runtime",
    "umbra-proto",
    "umbra-train",
    "umbra-coordinator",
    "umbra-worker",
];

/// Everything the pure crates may depend on: no clock, no network, no store, no random source.
const PURE: [(&str, &[&str]); 2] = [
    ("umbra-core", &["libm", "rand_chacha", "sha2", "thiserror", "toml"]),
    ("umbra-stats", &["umbra-core", "libm", "rayon", "thiserror"]),
];

fn manifests() -> BTreeMap<String, Table> {
    let all = files().into_iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    let named = all.map(|File { path, text }| {
        let table: Table = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let name = table["package"]["name"].as_str().unwrap_or_default().to_owned();
        (name, table)
    });
    named.collect()
}

fn names<'t>(manifest: &'t Table, section: &str) -> impl Iterator<Item = &'t str> {
    manifest.get(section).and_then(Value::as_table).into_iter().flat_map(Table::keys).map(String::as_str)
}

#[test]
fn a_crate_imports_only_what_lies_below_it() {
    let manifests = manifests();
    let known: Vec<_> = MAY_IMPORT.iter().map(|row| row.0.to_owned()).collect();
    let mut sorted = known.clone();
    sorted.sort();
    assert_eq!(manifests.keys().cloned().collect::<Vec<_>>(), sorted, "every crate has its row");
    let mut complaints = Vec::new();
    for (name, allowed) in MAY_IMPORT {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let imported =
                names(&manifests[name], section).filter(|other| known.contains(&(*other).to_owned()));
            let wrong = imported.filter(|other| !allowed.contains(other));
            complaints.extend(wrong.map(|other| format!("{name} imports {other} in its {section}")));
        }
    }
    assert_tidy(&complaints);
}

#[test]
fn the_pure_crates_depend_on_nothing_that_acts() {
    let manifests = manifests();
    let mut complaints = Vec::new();
    for (name, allowed) in PURE {
        for section in ["dependencies", "build-dependencies"] {
            let wrong = names(&manifests[name], section).filter(|other| !allowed.contains(other));
            complaints.extend(wrong.map(|other| format!("{name} depends on {other}")));
        }
    }
    assert_tidy(&complaints);
}

#[test]
fn every_crate_inherits_the_lints_and_takes_its_versions_from_the_workspace() {
    let root: Table = std::fs::read_to_string(crate::repository::root().join("Cargo.toml"))
        .expect("there is a workspace")
        .parse()
        .expect("it is TOML");
    let lints = &root["workspace"]["lints"];
    for lint in ["unwrap_used", "todo", "unimplemented", "dbg_macro"] {
        assert!(lints["clippy"].get(lint).is_some(), "no lint {lint}");
    }
    assert_eq!(lints["rust"]["unsafe_code"].as_str(), Some("deny"));
    assert_eq!(root["workspace"]["default-members"], Value::from(vec!["client"]));

    let mut complaints = Vec::new();
    for (name, manifest) in manifests() {
        let inherits = |table: Option<&Value>| table.and_then(|table| table.get("workspace")).is_some();
        if !inherits(manifest.get("lints")) {
            complaints.push(format!("{name} does not inherit the lints"));
        }
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let own = names(&manifest, section).filter(|other| !inherits(manifest[section].get(*other)));
            complaints.extend(own.map(|other| format!("{name} gives {other} a version of its own")));
        }
    }
    assert_tidy(&complaints);
}
