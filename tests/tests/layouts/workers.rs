//! `umbra worker list`, over two workers.

use serde_json::{Value, json};
use umbra_tests::{Audit, Cluster, Signal, command, run, turn};

/// The workers of a list, by the names the test gave them.
fn listed(cluster: &Cluster) -> Vec<Value> {
    let list = cluster.ask(&["worker", "list"]).expect(0).json();
    list["workers"].as_array().expect("it is a list").clone()
}

#[test]
fn workers_are_listed_with_their_slots_and_what_these_do() {
    let _turn = turn();
    let cluster = Cluster::start(30);
    assert_eq!(cluster.ask(&["worker", "list"]).expect(0).json(), json!({ "workers": [] }));
    let mut workers = [cluster.worker("a", 2), cluster.worker("b", 1)];
    workers.sort_by(|one, other| one.id.cmp(&other.id));
    let slots = workers.each_ref().map(|worker| if worker.process.name() == "a" { 2 } else { 1 });

    let idle = listed(&cluster);
    assert_eq!(idle.len(), 2);
    for ((shown, worker), slots) in idle.iter().zip(&workers).zip(slots) {
        assert_eq!((&shown["id"], &shown["draining"]), (&json!(worker.id), &json!(false)));
        assert_eq!(shown["version"], env!("CARGO_PKG_VERSION"));
        assert!(shown["host"].is_string() && shown["connect_time"].is_string(), "{shown}");
        let free = |slot: usize| {
            json!({
                "slot": slot, "state": "free", "audit": null, "pack": null, "lost": null, "device": "cpu",
                "memory_bytes": null, "memory_free_bytes": null, "utilisation": null,
            })
        };
        assert_eq!(shown["slots"], Value::from((0..slots).map(free).collect::<Vec<_>>()));
    }

    // Workers that stand still keep what they are given.
    workers.iter_mut().for_each(|worker| worker.process.signal(Signal::Stop));
    let before = cluster.journal.now();
    let audit = cluster.submit(&Audit::tiny());
    let mut given = Vec::new();
    cluster.journal.wait(before, "a pack for each slot", |entry| {
        if entry.is(cluster.coordinator(), "assign pack") {
            given.push((entry.text("slot").to_owned(), entry.number("pack")));
        }
        given.len() == 3
    });
    let mut busy = Vec::new();
    for worker in listed(&cluster) {
        for slot in worker["slots"].as_array().expect("it has slots") {
            assert_eq!((&slot["state"], &slot["audit"]), (&json!("busy"), &json!(audit)));
            let name = format!("{}:{}", worker["id"].as_str().expect("an id"), slot["slot"]);
            busy.push((name, slot["pack"].as_u64().expect("a pack")));
        }
    }
    given.sort();
    busy.sort();
    assert_eq!(busy, given);

    // For people: a head and a row a slot, aligned; the server comes from the environment, too.
    let mut list = command(cluster.folder(), &["worker", "list"]);
    list.env("UMBRA_SERVER", cluster.server());
    let text = run(list).expect(0).out;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    let (slot, state) = (lines[0].find("SLOT"), lines[0].find("STATE"));
    let (slot, state) = (slot.expect("a column SLOT"), state.expect("a column STATE"));
    for line in &lines[1..] {
        assert!(
            line[slot..].starts_with(['0', '1']) && line[state..].starts_with("busy with pack "),
            "{text}"
        );
    }

    workers.iter_mut().for_each(|worker| worker.process.signal(Signal::Continue));
    cluster.ask(&["audit", "watch", &audit]).expect(0);
    let [first, mut second] = workers;
    second.process.signal(Signal::Terminate);
    assert_eq!(second.process.exit_code(), Some(0));
    cluster.gauge("umbra_worker_sessions", 1.0);
    let left: Vec<_> = listed(&cluster).into_iter().map(|worker| worker["id"].clone()).collect();
    assert_eq!(left, [json!(first.id)]);
    cluster.assert_healthy();
}

#[test]
fn a_list_without_a_coordinator_ends_in_words() {
    let folder = tempfile::TempDir::new().expect("a temporary folder can be made");
    let nobody = ["worker", "list", "--server", "http://127.0.0.1:1"];
    let done = run(command(folder.path(), &nobody)).expect(4);
    assert!(done.err.contains("cannot reach a coordinator"), "{done:?}");
    let mixed = run(command(folder.path(), &["worker", "--slots", "2", "list"])).expect(2);
    assert!(mixed.err.contains("list"), "{mixed:?}");
}
