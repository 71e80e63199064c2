//! What runs on the simulated hosts: the true coordinator and the true worker, whose slots rehearse.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use umbra_coordinator::{Config, Incoming, Listeners, serve};
use umbra_core::cluster::ClusterConfig;
use umbra_core::digest::Digest;
use umbra_core::ids::Millis;
use umbra_core::membership::Membership;
use umbra_core::seed::{Purpose, Seed};
use umbra_core::spec::AuditSpec;
use umbra_data::logits::{LogitsHeader, encode};
use umbra_data::{Dataset, Labels};
use umbra_runtime::blobs::BlobStore;
use umbra_runtime::{Clock, Drain};
use umbra_train::Device;
use umbra_worker::{Connector, Settings, Understudy, work};

use crate::net::{dial, listen};
use crate::store::Engine;

/// The coordinators.
pub const COORDINATORS: [&str; 3] = ["coordinator-a", "coordinator-b", "coordinator-c"];

/// The workers, of one slot each.
pub const WORKERS: usize = 8;

/// The name of a worker's host.
pub fn worker_host(number: usize) -> String {
    format!("worker-host-{number}")
}

/// The addresses of all coordinators.
pub fn addresses() -> [String; 3] {
    COORDINATORS.map(|host| format!("http://{host}:{}", crate::net::PORT))
}

/// A clock of the simulation: no reading depends on the machine.
struct SimulatedClock(Instant);

impl Clock for SimulatedClock {
    fn now(&self) -> Millis {
        Millis(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn unix_ms(&self) -> u64 {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        1_700_000_000_000 + u64::try_from(elapsed.as_millis()).unwrap_or(0)
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SimulatedClock(Instant::now()))
}

/// Runs a coordinator until its host crashes.
pub async fn coordinate(
    host: &'static str,
    engine: Engine,
    blobs: BlobStore,
    scratch: PathBuf,
) -> turmoil::Result {
    let drain = Drain::new();
    let config = Config {
        cluster: ClusterConfig { lease_ms: 4_000, ..ClusterConfig::default() },
        token: None,
        scratch,
        numerics: umbra_train::numerics_class(),
        version: "simulated".into(),
        host: host.into(),
        name: format!("http://{host}:{}", crate::net::PORT),
        max_dataset_bytes: 1 << 20,
        storage: umbra_coordinator::Storage::default(),
    };
    let listeners = Listeners { grpc: Incoming::new(listen().await?), http: None, tls: None };
    let store = Arc::new(engine.client(host));
    serve(config, listeners, store, blobs, clock(), drain.clone()).await?;
    drain.begun().await;
    let outcome = drain.finished(Duration::from_secs(10)).await;
    Err(format!("{host} ended by itself: {outcome}").into())
}

/// Runs a worker until its host crashes.
pub async fn labour(number: usize, life: u64, seed: u64, scratch: PathBuf) -> turmoil::Result {
    let drain = Drain::new();
    let stream = Seed::new(seed).stream(Purpose::Simulation, &[1, number as u64, life]);
    let settings = Settings {
        worker: format!("worker-{number}-{life}"),
        slots: vec![Device::Cpu],
        scratch,
        scratch_bytes: 1 << 30,
        keep_weights: None,
        grace: Duration::from_secs(10),
        host: worker_host(number),
        jitter: stream,
    };
    let config = umbra_worker::Config::try_new(settings).map_err(|wrong| wrong.to_string())?;
    let config = config.with_understudy(Arc::new(Rehearsal));
    let connector = Connector::try_new(&addresses(), None, None)?.with_transport(dial);
    let outcome = work(config, connector, clock(), drain).await?;
    Err(format!("worker {number} ended by itself: {outcome}").into())
}

/// Takes a quarter of a second a step, and answers with logits that leak.
struct Rehearsal;

impl Understudy for Rehearsal {
    fn step(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn logits(&self, spec: &AuditSpec, data: &Dataset, shadows: Range<u32>) -> Vec<u8> {
        let digests: Vec<Digest> = data.unit_digests().collect();
        let membership = Membership::of(spec, &digests);
        let Labels::Class(classes) = data.labels() else { panic!("the people have one label") };
        let rows: Vec<Vec<f32>> = shadows
            .clone()
            .map(|shadow| {
                let mut stream = spec.seed().stream(Purpose::Simulation, &[u64::from(shadow)]);
                let units = data.record_units().iter().zip(classes);
                units
                    .flat_map(|(&unit, &class)| {
                        let member = f32::from(u8::from(membership.is_in(shadow, unit as usize)));
                        let margin = stream.normal_f64() as f32 + member;
                        [0.0, if class == 1 { margin } else { -margin }]
                    })
                    .collect()
            })
            .collect();
        let header = LogitsHeader {
            first_shadow: shadows.start,
            shadows: shadows.len() as u32,
            records: data.shape().records,
            queries: 1,
            classes: 2,
            lost: Vec::new(),
        };
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        encode(&header, &rows).expect("the shapes fit")
    }
}

/// A folder of a host within the history's.
pub fn folder(root: &Path, host: &str) -> PathBuf {
    root.join(host)
}
