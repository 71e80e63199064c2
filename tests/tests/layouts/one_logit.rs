//! Two classes trained with one sigmoid logit.

use std::fs;

use serde_json::Value;
use umbra_data::logits::LogitsReader;
use umbra_tests::{Audit, Cluster, Done, committed, turn};

/// Submits the audit file `text`.
fn submit(cluster: &Cluster, text: &str) -> Done {
    let file = cluster.folder().join("one.toml");
    fs::write(&file, text).expect("a test can write to its folder");
    cluster.ask(&["audit", "submit", &file.display().to_string()])
}

fn with_loss(text: &str, loss: &str) -> String {
    text.replace("[training]\n", &format!("[training]\nloss = \"{loss}\"\n"))
}

#[test]
fn one_logit_for_two_classes_goes_from_the_file_to_the_findings() {
    let _turn = turn();
    let mut cluster = Cluster::start(30);
    let _worker = cluster.worker("a", 2);
    // Long enough to learn: an epoch leaves these models near chance.
    let audit = Audit { epochs: 8, ..Audit::tiny() };
    let auc = |loss: &str| {
        let submitted = submit(&cluster, &with_loss(&audit.text(), loss)).expect(0).json();
        let id = submitted["id"].as_str().expect("an audit has an id").to_owned();
        cluster.findings(&id);
        let folder = cluster.folder().join(format!("findings-of-{id}"));
        let summary = fs::read(folder.join("summary.json")).expect("there is a summary");
        let summary: Value = serde_json::from_slice(&summary).expect("it is JSON");
        assert_eq!(summary["dataset"]["classes"], 2);
        let page = fs::read_to_string(folder.join("report.html")).expect("there is a report");
        (page, summary["utility"]["outside"]["auc"].as_f64().expect("a number"))
    };
    let ((_, two), (page, one)) = (auc("cross-entropy"), auc("bce"));
    // A logit read with the wrong sign would be as far below a half as this is above it.
    assert!(one > 0.75 && (one - two).abs() < 0.02, "{one} with one logit, {two} with two");
    assert!(page.contains("binary cross-entropy"), "the loss is named");
    let state = cluster.stop();
    let classes = committed(&state).into_values().map(|committed| {
        let reader =
            LogitsReader::open(&state.join("blobs/objects").join(&committed.blob)).expect("it can be read");
        reader.header().classes
    });
    let mut shadows = [0; 3];
    classes.for_each(|classes| shadows[classes as usize] += 1);
    assert_eq!(shadows, [0, audit.shadows, audit.shadows], "each loss has results of its own");
}

#[test]
fn one_logit_for_three_classes_is_refused_in_words() {
    let _turn = turn();
    let cluster = Cluster::start(30);
    let table: String = (0..90).map(|i| format!("p{i},{}.5,{}\n", i * 37 % 101, i % 3)).collect();
    let (path, schema) = (cluster.folder().join("three.csv"), cluster.folder().join("three.toml"));
    fs::write(&path, format!("id,x,label\n{table}")).expect("a test can write to its folder");
    fs::write(&schema, "kind = \"table\"\nlabel = \"label\"\nunit = \"id\"\n")
        .expect("a test can write to its folder");
    let (path, schema) = (path.display().to_string(), schema.display().to_string());
    cluster.ask(&["dataset", "import", &path, "--schema", &schema, "--name", "three"]).expect(0);
    let refused = submit(&cluster, &with_loss(&Audit::tiny().text_on("three"), "bce"));
    assert_ne!(refused.code, Some(0));
    let said = format!("{}{}", refused.out, refused.err).replace("\\\"", "\"");
    let words =
        "\"bce\" is for two classes or several labels, the data set has 3 classes: use \"cross-entropy\"";
    assert!(said.contains(words), "{refused:?}");
}
