//! What the coordinator hears of the slots' devices.

use umbra_proto::error::{Reason, refuse};
use umbra_proto::v1::connect_request::Message as Said;
use umbra_proto::v1::connect_response::Message as Answer;
use umbra_proto::v1::{self, FaultDomain, FaultRetry, RevokeReason};
use umbra_worker::{DeviceReading, WorkError};

use crate::coordinator::Talk;
use crate::fixture::{ENDLESS, Fixture};
use crate::{failed, finish, part, released};

const REASON: &str = "the device fell off the bus: restart the worker";

fn device(lost: &str) -> v1::SlotDevice {
    v1::SlotDevice { name: "cpu".into(), lost: lost.into(), ..v1::SlotDevice::default() }
}

/// The next heartbeat for whose devices something holds.
async fn beat(talk: &mut Talk, holds: impl Fn(&[v1::SlotDevice]) -> bool) -> v1::Heartbeat {
    talk.until(|said| match said {
        Said::Heartbeat(beat) => holds(&beat.devices).then_some(beat),
        Said::Report(report) => panic!("it ended: {report:?}"),
        _ => None,
    })
    .await
}

/// The heartbeat that tells of these devices, while the worker answers a few questions: far sooner than one by
/// the clock.
async fn told_at_once(talk: &mut Talk, devices: &[v1::SlotDevice]) -> v1::Heartbeat {
    for fence in 100..120 {
        talk.revoke(fence, RevokeReason::Stale).await;
        let (mut told, mut answered) = (None, false);
        while !answered {
            match talk.hear().await {
                Said::Heartbeat(beat) if beat.devices == devices => told = Some(beat),
                Said::Report(report) => answered = report.fence == fence,
                _ => {}
            }
        }
        if let Some(beat) = told {
            return beat;
        }
    }
    panic!("nothing was said of the devices")
}

#[tokio::test]
async fn a_lost_slot_is_told_at_once_and_again_in_the_next_hello() {
    let mut fixture = Fixture::start(2).await;
    let (talk, hello) = fixture.coordinator.hello().await;
    assert_eq!(hello.devices, [device(""), device("")]);
    // A lease of a day: by the clock a heartbeat comes every two seconds, far later than what follows.
    talk.say(Answer::Welcome(v1::Welcome { lease_milliseconds: 86_400_000, version: "test".into() })).await;
    let mut talk = talk;
    fixture.assign(&talk, 0, 1, ENDLESS).await;
    fixture.assign(&talk, 1, 2, ENDLESS).await;
    talk.stepping(1).await;
    fixture.devices.lose(0, REASON);
    let told = told_at_once(&mut talk, &[device(REASON), device("")]).await;
    assert!(told.running.iter().any(|pack| pack.slot == 1), "the other slot goes on");
    talk.revoke(1, RevokeReason::Cancelled).await;
    assert_eq!(released(talk.report().await), None);

    talk.refuse(refuse(Reason::Unavailable, "restarting")).await;
    let (mut talk, hello) = fixture.coordinator.welcome().await;
    assert_eq!(hello.devices, [device(REASON), device("")]);
    // A pack that was on its way to the slot is for another one.
    fixture.assign(&talk, 0, 3, 10).await;
    let fault = failed(talk.report().await);
    assert_eq!((fault.domain(), fault.retry()), (FaultDomain::Device, FaultRetry::Elsewhere));
    assert!(fault.message.contains("slot 0") && fault.message.contains(REASON), "{}", fault.message);
    talk.revoke(2, RevokeReason::Cancelled).await;
    assert_eq!(released(talk.report().await), None);
    let assign = fixture.pack(1, 4, 10);
    finish(&fixture, &mut talk, assign).await;
    part(fixture, talk).await;
}

#[tokio::test]
async fn heartbeats_carry_what_the_devices_tell() {
    let mut fixture = Fixture::start(1).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    beat(&mut talk, |devices| devices == [device("")]).await;
    let (memory_bytes, memory_free_bytes, utilisation) = (80, 30, Some(0.25));
    fixture.devices.read(0, DeviceReading { memory_bytes, memory_free_bytes, utilisation });
    let told = v1::SlotDevice { memory_bytes, memory_free_bytes, utilisation, ..device("") };
    beat(&mut talk, |devices| devices == [told.clone()]).await;
    part(fixture, talk).await;
}

#[tokio::test]
async fn a_worker_without_any_device_reports_what_it_has_and_ends() {
    let mut fixture = Fixture::start(1).await;
    let (mut talk, _) = fixture.coordinator.welcome().await;
    fixture.assign(&talk, 0, 1, ENDLESS).await;
    talk.stepping(1).await;
    fixture.devices.lose(0, REASON);
    talk.revoke(1, RevokeReason::Cancelled).await;
    assert_eq!(released(talk.report().await), None);
    let ended = fixture.outcome().await;
    assert!(matches!(&ended, Err(WorkError::DevicesLost(reason)) if reason == REASON), "{ended:?}");
}
