//! Workers that do not train: they speak the whole protocol, take a while for every pack and answer with constant
//! logits. Thousands of them fit one process.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use umbra_core::digest::Digest;
use umbra_data::logits::{LogitsHeader, encode};
use umbra_proto::v1::connect_request::Message as Say;
use umbra_proto::v1::connect_response::Message as Hear;
use umbra_proto::v1::worker_service_client::WorkerServiceClient;
use umbra_proto::v1::write_blob_request::Part;
use umbra_proto::{CHUNK, MAX_MESSAGE, PROTOCOL, v1};

type Client = WorkerServiceClient<Channel>;

/// What stubs saw.
#[derive(Default)]
pub struct Seen {
    /// From a report to the next assignment.
    pub waits: Mutex<Vec<Duration>>,
}

/// A connection to the coordinator.
pub fn client(server: &str) -> Client {
    let endpoint = Endpoint::from_shared(server.to_owned()).unwrap().tcp_nodelay(true);
    let window = endpoint.initial_stream_window_size(2 << 20).initial_connection_window_size(4 << 20);
    WorkerServiceClient::new(window.connect_lazy()).max_decoding_message_size(MAX_MESSAGE)
}

/// A session: where to speak, and what is heard after the welcome.
pub async fn join(
    client: &mut Client,
    name: &str,
    slots: u32,
) -> (mpsc::Sender<v1::ConnectRequest>, tonic::Streaming<v1::ConnectResponse>, Duration) {
    let hello = v1::Hello {
        worker_id: name.into(),
        protocol: PROTOCOL,
        version: "stub".into(),
        slots,
        numerics: vec![umbra_train::numerics_class()],
        host: "stub".into(),
        ..v1::Hello::default()
    };
    let (say, said) = mpsc::channel(64);
    say.send(v1::ConnectRequest { message: Some(Say::Hello(hello)) }).await.unwrap();
    let mut hear = client.connect(ReceiverStream::new(said)).await.unwrap().into_inner();
    let welcome = hear.next().await.unwrap().unwrap().message;
    let Some(Hear::Welcome(welcome)) = welcome else { panic!("{welcome:?} instead of a welcome") };
    (say, hear, Duration::from_millis(u64::from(welcome.lease_milliseconds)))
}

/// The encoded logits of a pack: constant, since nobody looks at them.
pub fn logits(assign: &v1::Assign, records: u64) -> Vec<u8> {
    let rows = vec![0.5f32; records as usize * 2];
    let header = LogitsHeader {
        first_shadow: assign.first_shadow,
        shadows: assign.shadows,
        records,
        queries: 1,
        classes: 2,
        lost: Vec::new(),
    };
    encode(&header, &vec![rows.as_slice(); assign.shadows as usize]).unwrap()
}

/// Writes a blob under a fence.
pub async fn write(
    client: &mut Client,
    fence: i64,
    name: &str,
    bytes: bytes::Bytes,
    digest: Digest,
) -> v1::Blob {
    let header = v1::WriteBlobHeader {
        fence,
        name: name.into(),
        sha256: digest.as_bytes().to_vec(),
        size: bytes.len() as u64,
        offset: 0,
    };
    let starts = (0..bytes.len()).step_by(CHUNK);
    let chunks = starts.map(|start| Part::Chunk(bytes.slice(start..bytes.len().min(start + CHUNK))));
    let parts = std::iter::once(Part::Header(header)).chain(chunks);
    let parts: Vec<_> = parts.map(|part| v1::WriteBlobRequest { part: Some(part) }).collect();
    loop {
        match client.write_blob(tokio_stream::iter(parts.clone())).await {
            Ok(answer) => return answer.into_inner().blob.unwrap(),
            // As every worker does: it may pass.
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
        }
    }
}

/// The report of a finished pack.
pub fn done(assign: &v1::Assign, blob: v1::Blob) -> v1::ConnectRequest {
    let result = v1::PackResult { blob: Some(blob), ..v1::PackResult::default() };
    let report = v1::Report {
        audit_id: assign.audit_id.clone(),
        pack: assign.pack,
        fence: assign.fence,
        outcome: Some(v1::report::Outcome::Done(result)),
    };
    v1::ConnectRequest { message: Some(Say::Report(report)) }
}

/// Works off packs, each in so long a time, until it is dropped.
pub async fn work_off(server: &str, name: &str, work: Duration, records: u64, seen: &Seen) {
    let mut client = client(server);
    let (say, mut hear, lease) = join(&mut client, name, 1).await;
    let mut beat = interval(lease / 3);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut held, mut reported): (Option<(v1::Assign, Instant)>, Option<Instant>) = (None, None);
    loop {
        let due = held.as_ref().map(|(_, due)| tokio::time::Instant::from_std(*due));
        tokio::select! {
            message = hear.next() => match message.expect("the session goes on").unwrap().message {
                Some(Hear::Assign(assign)) => {
                    if let Some(reported) = reported.take() {
                        seen.waits.lock().unwrap().push(reported.elapsed());
                    }
                    held = Some((assign, Instant::now() + work));
                }
                Some(Hear::Acknowledge(_)) => {}
                other => panic!("{other:?}"),
            },
            _ = beat.tick() => {
                let running = held.iter().map(|(assign, _)| v1::RunningPack {
                    audit_id: assign.audit_id.clone(),
                    pack: assign.pack,
                    fence: assign.fence,
                    slot: assign.slot,
                    ..v1::RunningPack::default()
                });
                let heartbeat = v1::Heartbeat { running: running.collect(), devices: Vec::new() };
                say.send(v1::ConnectRequest { message: Some(Say::Heartbeat(heartbeat)) }).await.unwrap();
            }
            () = async { tokio::time::sleep_until(due.unwrap()).await }, if due.is_some() => {
                let (assign, _) = held.take().unwrap();
                let bytes = logits(&assign, records);
                let digest = Digest::of(&bytes);
                let blob = write(&mut client, assign.fence, "logits", bytes.into(), digest).await;
                say.send(done(&assign, blob)).await.unwrap();
                reported = Some(Instant::now());
            }
        }
    }
}
