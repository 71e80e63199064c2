//! What the previous release keeps in its meta store is read: `tests/upgrade/store.json`, encoded from its own protos by
//! another implementation.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use umbra_coordinator::store::{EmbeddedStore, Key, MetaStore as _, Txn};
use umbra_tests::{Cluster, Signal, turn};

const STORE: &str = include_str!("../../upgrade/store.json");

fn entries() -> BTreeMap<String, Vec<u8>> {
    let read: BTreeMap<String, String> = serde_json::from_str(STORE).unwrap();
    let bytes = |text: &str| {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    };
    read.into_iter().map(|(key, text)| (key, bytes(&text))).collect()
}

#[test]
fn a_store_of_the_previous_release_is_read() {
    let _turn = turn();
    let mut cluster = Cluster::start(600);
    let code = cluster.restart_after(Signal::Terminate, |state| {
        let file = state.join("meta.redb");
        fs::remove_file(&file).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = EmbeddedStore::open(&file).await.unwrap();
            let mut txn = Txn::new(store.lead("previous").await.unwrap());
            for (key, value) in entries() {
                txn = txn.put(Key::try_new(key).unwrap(), value);
            }
            store.commit(txn).await.unwrap();
        });
    });
    assert_eq!(code, Some(0));

    let get = |id: &str| -> Value { cluster.ask(&["audit", "get", id]).expect(0).json() };
    let running = get("nightly-00000001");
    assert_eq!((&running["state"], &running["numerics"]), (&"running".into(), &"lockstep-f32-fma-v2".into()));
    let spec = &running["spec"];
    assert_eq!(spec["model"]["widths"], Value::from(vec![16, 8]));
    assert_eq!((&spec["training"]["dropout"], &spec["placement"]["pack"]), (&0.25.into(), &4.into()));
    assert!(running["create_time"].as_str().unwrap().starts_with("2025-06-15T15:08:20"), "{running}");
    assert_eq!(running["shape"]["units"], 300);

    let ended = get("nightly-00000002");
    assert_eq!(ended["state"], "succeeded");
    assert!(ended["end_time"].as_str().unwrap().starts_with("2025-06-15T15:10:00"), "{ended}");
    let failed = get("nightly-00000003");
    assert_eq!(failed["state"], "failed");
    assert_eq!(
        (&failed["fault"]["domain"], &failed["fault"]["retry"]),
        (&"device".into(), &"elsewhere".into())
    );
    assert_eq!(failed["fault"]["message"], "the device is hot");

    // One pack is done, one is held by a worker that has a lease's time to come back.
    cluster.gauge("umbra_packs{state=\"running\"}", 1.0);
    cluster.gauge("umbra_packs{state=\"done\"}", 1.0);
    cluster.gauge("umbra_packs{state=\"waiting\"}", 2.0);
    let datasets = cluster.ask(&["dataset", "list"]).expect(0);
    assert!(datasets.out.contains("\"icu\"") && datasets.out.contains("900"), "{datasets:?}");
    cluster.assert_healthy();
}
