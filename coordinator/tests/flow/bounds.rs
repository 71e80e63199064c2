//! Bounds of what is sent to and taken from a coordinator, over real gRPC.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use umbra_coordinator::Storage;
use umbra_core::digest::Digest;
use umbra_proto::error::Reason;
use umbra_proto::v1;
use umbra_proto::v1::worker_service_client::WorkerServiceClient;
use umbra_proto::v1::write_blob_request::Part;

use crate::place::{Place, draft};
use crate::puppet::Puppet;

/// Far longer than anything here takes.
const BOUND: Duration = Duration::from_secs(60);

fn header(fence: i64, name: &str, size: u64) -> Part {
    let sha256 = Digest::of(name.as_bytes()).as_bytes().to_vec();
    Part::Header(v1::WriteBlobHeader { fence, name: name.into(), sha256, size, offset: 0 })
}

/// A write whose sender stops after these parts, without an end.
fn stalled(place: &Place, parts: Vec<Part>) -> impl Future<Output = Result<(), Status>> + use<> {
    let (say, said) = mpsc::channel(8);
    for part in parts {
        say.try_send(v1::WriteBlobRequest { part: Some(part) }).unwrap();
    }
    let mut client = WorkerServiceClient::new(place.channel.clone());
    async move {
        let written = tokio::time::timeout(BOUND, client.write_blob(ReceiverStream::new(said))).await;
        drop(say);
        written.expect("it is ended").map(drop)
    }
}

fn refused(answer: Result<(), Status>, reason: Reason, words: &str) {
    let status = answer.unwrap_err();
    assert_eq!(Reason::of(&status), Some(reason), "{status:?}");
    assert!(status.message().contains(words), "{status:?}");
}

#[tokio::test]
async fn a_sender_that_falls_silent_is_ended() {
    let place = Place::within(Storage { silence: Duration::from_millis(200), ..Storage::default() }).await;
    place.upload().await;
    place.submit("first", &draft()).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let fence = puppet.next_assignment().await.fence;
    let some = Part::Chunk(Bytes::from_static(b"some"));
    let written = stalled(&place, vec![header(fence, "logits", 100), some]).await;
    refused(written, Reason::Unavailable, "nothing arrived for 200ms: send the rest");
    // What arrived is kept.
    let sha256 = Digest::of(b"logits").as_bytes().to_vec();
    let status = v1::GetWriteStatusRequest { fence, name: "logits".into(), sha256 };
    let mut client = WorkerServiceClient::new(place.channel.clone());
    assert_eq!(client.get_write_status(status).await.unwrap().into_inner().offset, 4);
    place.stop().await;
}

#[tokio::test]
async fn a_fence_has_one_stream_and_no_more_blobs_than_its_pack() {
    let place = Place::start().await;
    place.upload().await;
    let audit = place.submit("first", &draft()).await.unwrap();
    let mut puppet = Puppet::join(&place, "w1", 1).await;
    let fence = puppet.next_assignment().await.fence;
    let first = stalled(&place, vec![header(fence, "logits", 100), Part::Chunk(Bytes::from_static(b"some"))]);
    let mut first = Box::pin(first);
    let second = stalled(&place, vec![header(fence, "checkpoint-1", 0)]);
    // Only once the first is heard can the second take over.
    let both = async {
        tokio::select! {
            ended = &mut first => panic!("{ended:?}"),
            () = arrived(&place, fence) => {}
        }
        futures::join!(first, second)
    };
    let (first, second) = both.await;
    refused(first, Reason::Unavailable, "over another stream now");
    refused(second, Reason::InvalidArgument, "no empty blobs");

    // 300 records x 2 logits x 4 shadows are 9,600 bytes: a mebibyte more is for what is beside them.
    let large = stalled(&place, vec![header(fence, "logits", 2 << 20)]).await;
    refused(large, Reason::TooLarge, "a pack's can have");
    let huge = stalled(&place, vec![header(fence, "checkpoint-1", (4 << 30) + 1)]).await;
    refused(huge, Reason::TooLarge, "a pack's can have");
    // Four shadows of two epochs of ten steps or so have far fewer checkpoints.
    let mut refusals = 0;
    for step in 0..200 {
        let status =
            stalled(&place, vec![header(fence, &format!("checkpoint-{step}"), 0)]).await.unwrap_err();
        refusals += u32::from(Reason::of(&status) == Some(Reason::TooLarge));
    }
    assert!(refusals > 100, "{refusals}");
    assert_eq!(place.get(&audit.id).await.state(), v1::AuditState::Running);
    place.stop().await;
}

/// Waits until the first chunk of "logits" is there.
async fn arrived(place: &Place, fence: i64) {
    let mut client = WorkerServiceClient::new(place.channel.clone());
    let sha256 = Digest::of(b"logits").as_bytes().to_vec();
    let status = v1::GetWriteStatusRequest { fence, name: "logits".into(), sha256 };
    while client.get_write_status(status.clone()).await.unwrap().into_inner().offset == 0 {}
}

#[tokio::test]
async fn uploads_have_room_for_so_much_in_all() {
    let place = Place::within(Storage { uploads_bytes: 5000, ..Storage::default() }).await;
    let refused = place.upload_as("people", place.content()).await.unwrap_err();
    assert_eq!(Reason::of(&refused), Some(Reason::Unavailable), "{refused:?}");
    assert!(refused.message().contains("raise the coordinator's uploads_gib"), "{refused:?}");
    place.stop().await;
}

#[cfg(target_os = "linux")]
fn is_open(name: &str) -> bool {
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let paths = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    paths.into_iter().any(|path| path.ends_with(name))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reader_that_takes_nothing_is_ended() {
    let place = Place::within(Storage { silence: Duration::from_millis(200), ..Storage::default() }).await;
    // More than what is on its way at once.
    let key = place.plant("dataset/large", 64 << 20);
    let mut client = WorkerServiceClient::new(place.channel.clone());
    let request = v1::ReadBlobRequest { key, offset: 0 };
    let mut stream = client.read_blob(request).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    // Nothing is taken until the blob is let go, which shows in this process's open files.
    let mut often = tokio::time::interval(Duration::from_millis(10));
    let let_go = async {
        while is_open("dataset/large") {
            often.tick().await;
        }
    };
    tokio::time::timeout(BOUND, let_go).await.expect("it is let go");
    let mut taken = 0;
    let ended = loop {
        match stream.message().await {
            Ok(Some(piece)) => taken += piece.chunk.len(),
            ended => break ended,
        }
    };
    let status = ended.unwrap_err();
    assert_eq!(Reason::of(&status), Some(Reason::Unavailable), "{status:?}");
    assert!(status.message().contains("read on from where you are"), "{status:?}");
    assert!(taken < 32 << 20, "{taken} bytes waited for the reader");
    place.stop().await;
}
