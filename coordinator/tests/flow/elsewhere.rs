//! A blob store that has no files: what is mapped comes from the cache.

use umbra_proto::v1;

use crate::place::{Place, draft};
use crate::puppet::Puppet;

#[tokio::test]
async fn an_audit_without_files_finds_the_same() {
    let mut found = Vec::new();
    for place in [Place::start().await, Place::without_files().await] {
        place.upload().await;
        let audit = place.submit("first", &draft()).await.unwrap();
        let mut puppet = Puppet::join(&place, "w1", 2).await;
        puppet.work_off(place.packs()).await;
        let ended = place.watch(&audit.id).await;
        assert_eq!(ended.state(), v1::AuditState::Succeeded, "{:?}", ended.fault);
        found.push(place.file(&audit.id, "scores-lira-online.npy").await);
        found.push(place.file(&audit.id, "summary.json").await);
        place.stop().await;
    }
    assert_eq!(found[..2], found[2..]);
}

#[tokio::test]
async fn a_spoilt_result_is_made_again_without_files_too() {
    let place = Place::without_files().await;
    place.upload().await;
    let audit = place.submit("first", &draft()).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let assign = puppet.next_assignment().await;
    puppet.finish_with(&assign, f32::NAN).await;
    puppet.work_off(place.packs()).await;
    let ended = place.watch(&audit.id).await;
    assert_eq!(ended.state(), v1::AuditState::Succeeded, "{:?}", ended.fault);
    place.stop().await;
}
