//! A worker, a tiny data set, and packs of it.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;
use umbra_core::digest::Digest;
use umbra_core::seed::{Purpose, Seed};
use umbra_data::Schema;
use umbra_proto::v1;
use umbra_proto::v1::connect_response::Message as Answer;
use umbra_runtime::blobs::{BlobKey, BlobStore};
use umbra_runtime::{Drain, SystemClock, Token};
use umbra_worker::{Config, Connector, Devices, Outcome, Settings, WorkError, work};

use crate::coordinator::{BOUND, Coordinator, Talk};

/// More steps than any test waits for.
pub const ENDLESS: u64 = 1 << 40;

/// A coordinator with a data set, and a worker that knows its address.
pub struct Fixture {
    pub coordinator: Coordinator,
    _folder: TempDir,
    pub drain: Drain,
    pub devices: Arc<Devices>,
    dataset: v1::Blob,
    content: Digest,
    ended: oneshot::Receiver<Result<Outcome, WorkError>>,
}

impl Fixture {
    /// A worker with some slots that has one minute to drain.
    pub async fn start(slots: u32) -> Self {
        Self::start_with(slots, BOUND).await
    }

    pub async fn start_with(slots: u32, grace: Duration) -> Self {
        Self::begin(slots, grace, None).await
    }

    /// A worker that uses this store, which has the data set, without the coordinator between.
    pub async fn start_on(store: &BlobStore, slots: u32) -> Self {
        Self::begin(slots, BOUND, Some(store)).await
    }

    async fn begin(slots: u32, grace: Duration, store: Option<&BlobStore>) -> Self {
        let coordinator = Coordinator::start().await;
        let folder = tempfile::tempdir().unwrap();
        let (bytes, content) = dataset(&folder);
        let dataset = coordinator.put("datasets/tiny", &bytes);
        let config = Config::try_new(Settings {
            worker: "w1".into(),
            slots: vec![umbra_train::Device::Cpu; slots as usize],
            scratch: folder.path().join("scratch"),
            scratch_bytes: 1 << 20,
            keep_weights: None,
            grace,
            host: "here".into(),
            jitter: Seed::new(1).stream(Purpose::Simulation, &[]),
        })
        .unwrap();
        let config = match store {
            Some(store) => {
                let key = BlobKey::try_new(dataset.key.as_str()).unwrap();
                store.put(&key, bytes.into()).await.unwrap();
                config.with_blobs(store.clone())
            }
            None => config,
        };
        let devices = config.slot_devices().clone();
        let token = Token::try_new("a-token-of-the-test", "the test").unwrap();
        let connector = Connector::try_new(&[coordinator.uri()], None, Some(&token)).unwrap();
        let drain = Drain::new();
        let (end, ended) = oneshot::channel();
        let inner = drain.clone();
        drain.spawn("worker", async move {
            let _ = end.send(work(config, connector, Arc::new(SystemClock::new()), inner).await);
        });
        Self { coordinator, _folder: folder, drain, devices, dataset, content, ended }
    }

    /// A pack of two shadows that take so many steps each, with a checkpoint every 500.
    pub fn pack(&self, slot: u32, fence: i64, steps: u64) -> v1::Assign {
        let spec = v1::AuditSpec {
            name: "tiny".into(),
            seed: 7,
            dataset: "tiny".into(),
            model: Some(v1::ModelSpec {
                architecture: "logistic".into(),
                widths: vec![],
                ..Default::default()
            }),
            training: Some(v1::TrainingSpec {
                learning_rate: Some(0.05),
                batch: Some(8),
                epochs: Some(1),
                schedule: Some("constant".into()),
                ..v1::TrainingSpec::default()
            }),
            shadows: Some(v1::ShadowSpec { count: Some(8), block: Some(8), population: None }),
            placement: Some(v1::PlacementSpec {
                pack: Some(2),
                checkpoint_steps: Some(500),
                ..Default::default()
            }),
            ..v1::AuditSpec::default()
        };
        v1::Assign {
            slot,
            audit_id: "tiny-12345678".into(),
            pack: 0,
            fence,
            spec: Some(spec),
            dataset: Some(self.dataset.clone()),
            data_digest: self.content.to_string(),
            first_shadow: 0,
            shadows: 2,
            steps,
            numerics: umbra_train::numerics_class(),
            traceparent: String::new(),
            resume_from: None,
        }
    }

    /// Has a slot train a pack.
    pub async fn assign(&self, talk: &Talk, slot: u32, fence: i64, steps: u64) {
        talk.say(Answer::Assign(self.pack(slot, fence, steps))).await;
    }

    /// Begins the drain and says how the worker ended.
    pub async fn leave(self) -> Result<Outcome, WorkError> {
        self.drain.begin();
        self.outcome().await
    }

    /// How the worker ended.
    pub async fn outcome(self) -> Result<Outcome, WorkError> {
        let outcome = tokio::time::timeout(BOUND, self.ended).await.expect("the worker ends").unwrap();
        assert!(self.drain.has_begun() || outcome.is_err(), "nobody asked it to end");
        self.drain.begin();
        let drained = self.drain.finished(BOUND).await;
        assert!(drained.is_clean(), "{drained}");
        outcome
    }
}

/// Sixty records of thirty patients with two features.
fn dataset(folder: &TempDir) -> (Vec<u8>, Digest) {
    let mut stream = Seed::new(3).stream(Purpose::Simulation, &[]);
    let mut table = String::from("patient,a,b,dead\n");
    for record in 0..60 {
        let (a, b) = (stream.normal_f64(), stream.normal_f64());
        let dead = u8::from(a + stream.normal_f64() > 0.0);
        table += &format!("p{},{a:.3},{b:.3},{dead}\n", record % 30);
    }
    let path = folder.path().join("tiny.csv");
    std::fs::write(&path, table).unwrap();
    let schema =
        Schema::parse("kind = \"table\"\nlabel = \"dead\"\nunit = \"patient\"\n", "tiny.toml").unwrap();
    let imported = umbra_data::import(&path, &schema).unwrap();
    (imported.bytes.to_vec(), imported.digest)
}
