//! The list of workers, and slots that are lost.

use umbra_proto::v1::{self, SlotState};

use crate::place::{Place, draft};
use crate::puppet::Puppet;

/// What each slot of a worker does: its state and the pack that holds it.
fn slots(worker: &v1::Worker) -> Vec<(SlotState, Option<u32>)> {
    let pack = |slot: &v1::WorkerSlot| (!slot.audit_id.is_empty()).then_some(slot.pack);
    worker.slots.iter().map(|slot| (slot.state(), pack(slot))).collect()
}

#[tokio::test]
async fn a_slot_that_is_lost_ends_its_pack_and_the_others_finish_the_audit() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("first", &draft()).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 2).await;
    let (first, second) = (puppet.next_assignment().await, puppet.next_assignment().await);
    puppet.lose_slots(2, &[first.slot]).await;
    puppet.fail(&first).await;
    // Everything else, its own failed pack included, goes to the slot that is left.
    puppet.finish(&second).await;
    for _ in 1..place.packs() {
        let assign = puppet.next_assignment().await;
        assert_eq!(assign.slot, second.slot);
        puppet.finish(&assign).await;
    }
    let ended = place.watch(&audit.id).await;
    assert_eq!(ended.state(), v1::AuditState::Succeeded, "{:?}", ended.fault);

    let page = place.workers(0, "").await.unwrap();
    let [worker] = &page.workers[..] else { panic!("{page:?}") };
    assert_eq!(
        (worker.id.as_str(), worker.host.as_str(), worker.version.as_str()),
        ("w1", "stage", "puppet")
    );
    assert_eq!(slots(worker), [(SlotState::Lost, None), (SlotState::Free, None)]);
    let lost = worker.slots[0].device.as_ref().unwrap();
    assert_eq!((lost.name.as_str(), lost.lost.as_str()), ("device 0", "it fell off the bus"));

    // A successor has its devices back.
    let _puppet = Puppet::join(&place, "w1", 2).await;
    let worker = place.workers(0, "").await.unwrap().workers.remove(0);
    assert_eq!(slots(&worker), [(SlotState::Free, None); 2]);
    place.stop().await;
}

#[tokio::test]
async fn workers_are_listed_in_pages_with_what_they_do() {
    let place = Place::start().await;
    assert_eq!(place.workers(0, "").await.unwrap(), v1::ListWorkersResponse::default());
    place.upload().await;
    let audit = place.submit("first", &draft()).await.unwrap();
    let mut puppets = Vec::new();
    for name in ["w3", "w1", "w2"] {
        puppets.push(Puppet::join(&place, name, 1).await);
    }
    let first = puppets[0].next_assignment().await;
    puppets[1].next_assignment().await;
    puppets[2].next_assignment().await;
    let page = place.workers(2, "").await.unwrap();
    let ids: Vec<_> = page.workers.iter().map(|worker| worker.id.as_str()).collect();
    assert_eq!((&ids[..], page.next_page_token.as_str()), (&["w1", "w2"][..], "w2"));
    // The one that the next page begins after may have gone.
    drop(puppets.remove(2));
    let last = place.workers(2, "w2").await.unwrap();
    let [worker] = &last.workers[..] else { panic!("{last:?}") };
    assert_eq!(slots(worker), [(SlotState::Busy, Some(first.pack))]);
    assert_eq!((worker.slots[0].audit_id.as_str(), last.next_page_token.as_str()), (audit.id.as_str(), ""));
    assert!(worker.slots[0].device.is_none() && worker.connect_time.is_some() && !worker.draining);
    assert!(place.workers(2, "../w").await.is_err());
    place.stop().await;
}
