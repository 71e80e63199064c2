//! An etcd whose quota is used up takes nothing more, says what helps, and has lost nothing.

use etcd_client::{AlarmAction, AlarmOptions, AlarmType, Client};
use umbra_coordinator::store::{CommitError, EtcdStore, MetaStore, Txn};

use super::nodes::EtcdNodes;
use super::options;
use super::servers::client;
use crate::contract::key;

/// 16 MiB, a few pages above the least.
const QUOTA: &str = "16777216";

async fn make_room(client: &mut Client) {
    let status = client.status().await.unwrap();
    let header = status.header().unwrap();
    client.compact(header.revision(), None).await.unwrap();
    client.defragment().await.unwrap();
    let mut which = AlarmOptions::new();
    which.with_member(header.member_id());
    client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(which)).await.unwrap();
}

#[tokio::test]
async fn a_full_etcd_says_what_helps_and_goes_on_after_it() {
    let more = ["--quota-backend-bytes".to_owned(), QUOTA.to_owned()];
    let Some(nodes) = EtcdNodes::start_with(1, 1, "http", &more) else { return };
    let store = EtcdStore::connect(&options(&nodes, "full")).await.unwrap();
    let epoch = store.lead("first").await.unwrap();
    // One value of half a megabyte over and over: what fills etcd is its history.
    let mut last = 0;
    let refused = loop {
        let value = vec![last + 1; 1 << 19];
        match store.commit(Txn::new(epoch).put(key("grows"), value)).await {
            Ok(_) => last += 1,
            Err(error) => break error,
        }
        assert!(last < 100, "its quota is never used up");
    };
    let CommitError::Unavailable(reason) = &refused else { panic!("{refused:?}") };
    assert!(reason.contains("compact and defragment it"), "{reason}");
    // What is there can be read, and nothing of what was refused is.
    let value = store.get(&key("grows")).await.unwrap().unwrap().bytes;
    assert!(value.len() == 1 << 19 && value.iter().all(|byte| *byte == last));

    make_room(&mut client(&nodes).await).await;
    // The one who leads goes on, if it still does; else whoever comes next.
    let epoch = match store.commit(Txn::new(epoch).put(key("small"), "1")).await {
        Ok(_) => epoch,
        Err(CommitError::Deposed { .. }) => store.lead("first").await.unwrap(),
        Err(error) => panic!("{error:?}"),
    };
    store.commit(Txn::new(epoch).put(key("small"), "2")).await.unwrap();
    let value = store.get(&key("grows")).await.unwrap().unwrap().bytes;
    assert!(value.iter().all(|byte| *byte == last));
}
