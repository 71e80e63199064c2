//! `umbra dataset` and `umbra audit`, each from a process of its own.

use serde_json::Value;
use umbra_tests::{Audit, Cluster, turn};

#[test]
fn an_audit_is_driven_from_other_processes() {
    let _turn = turn();
    let cluster = Cluster::start(30);
    let data = format!("{}/data", env!("CARGO_MANIFEST_DIR"));
    let (table, schema) = (format!("{data}/support2.parquet"), format!("{data}/support2.schema.toml"));
    let import = ["dataset", "import", &table, "--schema", &schema, "--name", "icu", "--kind", "parquet"];
    let imported = cluster.ask(&import).expect(0).json();
    assert_eq!((&imported["name"], &imported["shape"]["records"]), (&"icu".into(), &9105.into()));
    // Again: the one that is there.
    assert_eq!(cluster.ask(&import).expect(0).json(), imported);
    let listed = cluster.ask(&["dataset", "list"]).expect(0).json();
    assert_eq!(listed["datasets"], Value::from(vec![imported.clone()]));

    let file = cluster.folder().join("named.toml");
    std::fs::write(&file, Audit::tiny().text_on("icu")).expect("a test can write to its folder");
    let submit = ["audit", "submit", &file.display().to_string()].map(str::to_owned);
    let submit: Vec<&str> = submit.iter().map(String::as_str).collect();
    let submitted = cluster.ask(&submit).expect(0).json();
    let id = submitted["id"].as_str().expect("an audit has an id").to_owned();
    assert_eq!(
        (&submitted["state"], &submitted["spec"]["dataset"]["name"]),
        (&"running".into(), &"icu".into())
    );
    assert_eq!(cluster.ask(&submit).expect(0).json()["id"], *id, "submitting is idempotent");
    assert!(!submitted.to_string().contains("\"seed\""), "the seed is nobody's business");

    // Without a worker it waits, and says why.
    let waiting = cluster.ask(&["audit", "get", &id]).expect(0).json();
    assert_eq!(waiting["waiting_reason"], "no worker is connected");
    let early = cluster.ask(&["audit", "report", &id, "--out", "early"]).expect(1);
    assert!(early.err.contains("umbra audit watch"), "{early:?}");
    let early = cluster.ask(&["audit", "delete", &id]).expect(1);
    assert!(early.err.contains("cancel it first"), "{early:?}");
    let named = cluster.ask(&["dataset", "delete", "icu"]).expect(1);
    assert!(named.err.contains(&id), "{named:?}");
    let running = cluster.ask(&["audit", "list", "--state", "running"]).expect(0).json();
    assert_eq!(running["audits"][0]["id"], *id);

    let _worker = cluster.worker("a", 2);
    let watched = cluster.ask(&["audit", "watch", &id]).expect(0);
    let steps: Vec<Value> =
        watched.out.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let done = |step: &Value| step["progress"]["shadows_done"].as_u64();
    assert!(steps.windows(2).all(|pair| done(&pair[0]) <= done(&pair[1])), "{watched:?}");
    let last = steps.last().expect("there is a last line");
    assert_eq!((&last["state"], done(last)), (&"succeeded".into(), Some(u64::from(Audit::tiny().shadows))));

    let report = cluster.ask(&["audit", "report", &id, "--out", "findings"]).expect(0);
    assert_eq!(report.json()["patients"]["units"], 9105);
    let again = cluster.ask(&["audit", "report", &id, "--out", "findings"]).expect(0);
    assert!(again.err.contains("there already"), "{again:?}");
    cluster.findings(&id);
    let over = cluster.ask(&["audit", "cancel", &id]).expect(1);
    assert!(over.err.contains("nothing to cancel"), "{over:?}");

    assert_eq!(cluster.ask(&["audit", "delete", &id]).expect(0).json()["deleted"], *id);
    for gone in [&["audit", "get", &id][..], &["audit", "watch", &id], &["audit", "delete", &id]] {
        let done = cluster.ask(gone).expect(1);
        assert!(done.err.contains("there is no audit"), "{done:?}");
    }
    let empty = cluster.ask(&["audit", "list"]).expect(0).json();
    assert_eq!(empty["audits"], Value::Array(Vec::new()));
    cluster.ask(&["dataset", "delete", "icu"]).expect(0);
    cluster.assert_healthy();
}
