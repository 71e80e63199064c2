//! Workers that do not keep to the protocol.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use umbra_proto::error::Reason;
use umbra_proto::v1::connect_request::Message as Say;
use umbra_proto::v1::connect_response::Message as Hear;
use umbra_proto::v1::worker_service_client::WorkerServiceClient;
use umbra_proto::{PROTOCOL, v1};

use crate::speaking::{channel, converse, refused, refused_fields};

/// A hello that is right.
pub fn hello(worker: &str) -> v1::Hello {
    v1::Hello {
        worker_id: worker.into(),
        protocol: PROTOCOL,
        version: "test".into(),
        slots: 1,
        numerics: vec![umbra_train::numerics_class()],
        running: Vec::new(),
        host: "test".into(),
        devices: Vec::new(),
        store_id: String::new(),
    }
}

/// A session whose worker says what the test wants.
pub struct Session {
    say: mpsc::Sender<v1::ConnectRequest>,
    hear: Streaming<v1::ConnectResponse>,
}

impl Session {
    /// Opens a session with a first message.
    pub async fn open(channel: &Channel, first: Option<Say>) -> Self {
        let (say, said) = mpsc::channel(16);
        say.send(v1::ConnectRequest { message: first }).await.expect("the stream is new");
        let mut client = WorkerServiceClient::new(channel.clone());
        let hear = client.connect(ReceiverStream::new(said)).await.expect("sessions are taken").into_inner();
        Self { say, hear }
    }

    /// Says something.
    pub async fn say(&self, message: Say) {
        self.say.send(v1::ConnectRequest { message: Some(message) }).await.expect("the stream is open");
    }

    /// What is heard next; nothing at the end of the session.
    pub async fn hear(&mut self) -> Result<Option<Hear>, Status> {
        let bound = std::time::Duration::from_secs(60);
        let heard = tokio::time::timeout(bound, self.hear.message()).await.expect("an answer in time");
        Ok(heard?.and_then(|answer| answer.message))
    }

    /// Waits for the end of the session, whatever is said before it.
    pub async fn end(&mut self) {
        while !matches!(self.hear().await, Ok(None) | Err(_)) {}
    }
}

#[test]
fn a_worker_that_cannot_work_is_refused_in_words() {
    converse(|cluster| async move {
        let channel = channel(&cluster).await;
        let first = |first| {
            let channel = channel.clone();
            async move { Session::open(&channel, first).await.hear().await }
        };
        for protocol in [0, PROTOCOL + 1, u32::MAX] {
            let skewed = v1::Hello { protocol, ..hello("w") };
            refused(first(Some(Say::Hello(skewed))).await, Reason::VersionSkew, "another protocol");
        }
        refused_fields(first(None).await, &["hello"], "an empty message");
        let early = Say::Heartbeat(v1::Heartbeat::default());
        refused_fields(first(Some(early)).await, &["hello"], "no hello");
        type Change = fn(&mut v1::Hello);
        let wrong: [(Change, &str); 8] = [
            (|hello| hello.slots = 0, "slots"),
            (|hello| hello.slots = u32::MAX, "slots"),
            (|hello| hello.numerics.clear(), "numerics"),
            (|hello| hello.numerics = vec!["x".into(); 65], "numerics"),
            (|hello| hello.running = vec![v1::RunningPack::default(); 4097], "running"),
            (|hello| hello.devices = vec![v1::SlotDevice::default(); 2], "devices"),
            (|hello| hello.worker_id = "../w".into(), "worker_id"),
            (|hello| hello.store_id = "0".repeat(32), "store_id"),
        ];
        for (change, field) in wrong {
            let mut hello = hello("w");
            change(&mut hello);
            refused_fields(first(Some(Say::Hello(hello))).await, &[field], field);
        }
        cluster.gauge("umbra_worker_sessions", 0.0);
        cluster.gauge("umbra_slots", 0.0);
        cluster.assert_healthy();
    });
}

#[test]
fn a_worker_that_breaks_the_protocol_is_cut_off() {
    converse(|cluster| async move {
        let channel = channel(&cluster).await;
        let running =
            |audit_id: &str| v1::RunningPack { audit_id: audit_id.into(), fence: 1, ..Default::default() };
        let report = |fence, key: &str| v1::Report {
            audit_id: "a-12345678".into(),
            pack: 0,
            fence,
            outcome: Some(v1::report::Outcome::Done(v1::PackResult {
                blob: Some(v1::Blob { key: key.into(), sha256: vec![0; 32], size: 1 }),
                ..Default::default()
            })),
        };
        let messages = [
            ("a second hello", Say::Hello(hello("w"))),
            (
                "a heartbeat for no audit",
                Say::Heartbeat(v1::Heartbeat { running: vec![running("")], ..Default::default() }),
            ),
            (
                "a heartbeat of more devices than slots",
                Say::Heartbeat(v1::Heartbeat { devices: vec![Default::default(); 2], ..Default::default() }),
            ),
            ("a report without an outcome", Say::Report(v1::Report { outcome: None, ..report(1, "") })),
            ("a report for no audit", Say::Report(v1::Report { audit_id: "../x".into(), ..report(1, "") })),
            ("a report of foreign bytes", Say::Report(report(1, "audit/b-12345678/pack-0/fence-1/logits"))),
            ("a report of the meta store", Say::Report(report(1, "../meta.redb"))),
        ];
        for (what, message) in messages {
            let mut session = Session::open(&channel, Some(Say::Hello(hello("w")))).await;
            assert!(matches!(session.hear().await, Ok(Some(Hear::Welcome(_)))), "{what}");
            session.say(message).await;
            session.end().await;
        }
        cluster.gauge("umbra_worker_sessions", 0.0);
        cluster.gauge("umbra_slots", 0.0);
        assert_eq!(cluster.metrics().of("umbra_stale_fences_refused_total"), 0.0);
        cluster.assert_healthy();
    });
}

#[test]
fn fences_nobody_gave_are_refused_once_and_acknowledged() {
    converse(|cluster| async move {
        let channel = channel(&cluster).await;
        let mut session = Session::open(&channel, Some(Say::Hello(hello("w")))).await;
        assert!(matches!(session.hear().await, Ok(Some(Hear::Welcome(_)))));
        for fence in [7, 7, i64::MAX, 0, -1] {
            let audit_id = "a-12345678".to_owned();
            let outcome = Some(v1::report::Outcome::Released(v1::Released { checkpoint: None }));
            session.say(Say::Report(v1::Report { audit_id, pack: 0, fence, outcome })).await;
            // Whatever it is worth, the worker may forget it.
            let heard = session.hear().await.expect("the session goes on");
            assert!(matches!(heard, Some(Hear::Acknowledge(_))), "{fence}: {heard:?}");
        }
        let refused = cluster.metrics().of("umbra_stale_fences_refused_total");
        assert!((3.0..=4.0).contains(&refused), "once per fence, not per message: {refused}");
        cluster.assert_healthy();
    });
}

#[test]
fn a_session_of_the_same_worker_replaces_the_first() {
    converse(|cluster| async move {
        let channel = channel(&cluster).await;
        let mut first = Session::open(&channel, Some(Say::Hello(hello("w")))).await;
        assert!(matches!(first.hear().await, Ok(Some(Hear::Welcome(_)))));
        let mut second = Session::open(&channel, Some(Say::Hello(hello("w")))).await;
        assert!(matches!(second.hear().await, Ok(Some(Hear::Welcome(_)))));
        first.end().await;
        cluster.gauge("umbra_worker_sessions", 1.0);
        cluster.gauge("umbra_slots", 1.0);
        cluster.assert_healthy();
    });
}

#[test]
fn what_devices_are_called_is_bounded_and_a_loss_is_logged_once() {
    converse(|cluster| async move {
        let channel = channel(&cluster).await;
        let device = |lost: &str| v1::SlotDevice {
            name: "H100\u{1b}[2J".repeat(1000),
            memory_bytes: 80,
            memory_free_bytes: u64::MAX,
            utilisation: Some(f64::NAN),
            lost: lost.into(),
        };
        let with = |devices: Vec<v1::SlotDevice>| v1::Hello { slots: 2, devices, ..hello("w") };
        let mut session = Session::open(&channel, Some(Say::Hello(with(vec![device(""), device("")])))).await;
        assert!(matches!(session.hear().await, Ok(Some(Hear::Welcome(_)))));
        cluster.gauge("umbra_slots_lost", 0.0);
        let reason = "it fell off the bus".repeat(1000);
        for _ in 0..2 {
            let devices = vec![device(""), device(&reason)];
            session.say(Say::Heartbeat(v1::Heartbeat { devices, ..Default::default() })).await;
        }
        // What is answered was said last.
        let audit_id = "a-12345678".to_owned();
        let outcome = Some(v1::report::Outcome::Released(v1::Released::default()));
        session.say(Say::Report(v1::Report { audit_id, pack: 0, fence: 1, outcome })).await;
        assert!(matches!(session.hear().await, Ok(Some(Hear::Acknowledge(_)))));
        cluster.gauge("umbra_slots_lost", 1.0);
        // The worker says hello again.
        let again = Say::Hello(with(vec![device(""), device(&reason)]));
        let mut session = Session::open(&channel, Some(again)).await;
        assert!(matches!(session.hear().await, Ok(Some(Hear::Welcome(_)))));
        let list = cluster.ask(&["worker", "list"]).expect(0).json();
        let slots = list["workers"][0]["slots"].as_array().expect("it has slots").clone();
        assert_eq!((&slots[0]["state"], &slots[1]["state"]), (&"free".into(), &"lost".into()));
        let text = |key: &str| slots[1][key].as_str().expect("it is text").to_owned();
        assert_eq!((text("device").len(), text("lost").len()), (128, 300));
        assert!(!text("device").contains('\u{1b}'));
        assert_eq!((&slots[1]["memory_free_bytes"], &slots[1]["utilisation"]), (&80.into(), &().into()));
        let label = format!("{{worker=\"w\",slot=\"1\",device=\"{}\"}}", text("device"));
        assert_eq!(cluster.metrics().of(&format!("umbra_slot_memory_bytes{label}")), 80.0);
        assert_eq!(cluster.metrics().of(&format!("umbra_slot_memory_free_bytes{label}")), 80.0);
        let past = cluster.journal.past();
        let logged = past.iter().filter(|entry| entry.is(cluster.coordinator(), "worker lost a slot"));
        let reasons: Vec<_> = logged.map(|entry| entry.text("reason").to_owned()).collect();
        assert_eq!(reasons, [text("lost")]);
        cluster.assert_healthy();
    });
}
