//! The examples on real data sets of every kind, from the file to the report: as they are written, but for fewer
//! shadows and one pass over the data.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test stops at what it did not expect")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use umbra_tests::{command, run};

/// Example, records and patients: as the sheets of the data sets say.
const EXAMPLES: [(&str, u64, u64); 4] =
    [("rhc", 5735, 5735), ("mitbih", 18_797, 47), ("ptbxl500", 500, 466), ("pneumoniamnist", 5856, 5856)];

#[test]
fn every_example_ends_in_a_report() {
    let Some(data) = std::env::var_os("UMBRA_DATA") else {
        println!("skipped {} examples: UMBRA_DATA names no folder of real data sets", EXAMPLES.len());
        return;
    };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples");
    for (name, records, patients) in EXAMPLES {
        let folder = tempfile::tempdir().unwrap();
        let (file, schema) = (format!("{name}.toml"), format!("{name}.schema.toml"));
        fs::copy(examples.join(&schema), folder.path().join(&schema)).unwrap();
        let text = fs::read_to_string(examples.join(&file)).unwrap();
        let short: Vec<&str> = text
            .lines()
            .map(|line| match line.split_once(" = ") {
                Some(("epochs", _)) => "epochs = 1",
                Some(("count", _)) => "count = 8",
                Some(("block", _)) => "block = 8",
                _ => line,
            })
            .collect();
        fs::write(folder.path().join(&file), short.join("\n")).unwrap();
        let mut audit = command(folder.path(), &["run", &*file, "--out", "out"]);
        audit.env("UMBRA_DATA", &data);
        run(audit).expect(0);
        let summary = fs::read(folder.path().join("out/summary.json")).unwrap();
        let summary: Value = serde_json::from_slice(&summary).unwrap();
        assert_eq!(summary["records"]["records"], records, "{name}");
        assert_eq!(summary["patients"]["units"], patients, "{name}");
        let scored = summary["attacks"]["lira-online"]["scored"].as_u64().unwrap();
        assert_eq!(scored, 8 * records, "{name}: every model has answered for every record");
        assert!(folder.path().join("out/report.html").is_file());
    }
}
