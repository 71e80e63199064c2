//! A whole cluster in this process: the true coordinator and one worker, over loopback gRPC on a free port
//! that a random token guards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use umbra_coordinator::{Listeners, Storage};
use umbra_core::cluster::ClusterConfig;
use umbra_runtime::listen::ListenAddr;
use umbra_runtime::{Drain, SystemClock, TlsFiles, Token};
use umbra_train::Device;
use umbra_worker::{Config, Connector, Settings, work};

use super::coordinator::{self, Parts};
use crate::exit::Failure;
use crate::host;
use crate::remote::{Remote, ServerUrl};
use crate::settings::{Meta, entropy, fresh_name};

/// The lease. Its holder lives in this process, so it is short: what an earlier process held before it was
/// killed is free again after this time.
const LEASE_MS: u64 = 6_000;

/// How long either side may take to stop. A slice of training between two looks at the drain takes
/// milliseconds, a checkpoint less than a second.
const GRACE: Duration = Duration::from_secs(30);

/// A running embedded cluster.
pub struct Embedded {
    remote: Remote,
    serving: Drain,
    working: Drain,
}

impl Embedded {
    /// Starts the coordinator over the state folder, and a worker with a slot on each of `slots` that keeps weights in a folder,
    /// if there is one.
    ///
    /// # Errors
    /// If a part cannot be started.
    pub async fn start(
        state: &Path,
        slots: Vec<Device>,
        keep_weights: Option<&Path>,
    ) -> Result<Self, Failure> {
        let (serving, working) = (Drain::new(), Drain::new());
        let token = Token::generate().map_err(failed)?;
        let grpc = ListenAddr::any_loopback().bind().await.map_err(failed)?;
        let address = format!("http://{}", grpc.local_addr().map_err(failed)?);
        let parts = Parts {
            cluster: ClusterConfig { lease_ms: LEASE_MS, ..ClusterConfig::default() },
            meta: Meta::Embedded,
            token: Some(token.clone()),
            listeners: Listeners { grpc: grpc.into(), http: None, tls: None },
            address: address.clone(),
            blobs: None,
            storage: Storage::default(),
        };
        coordinator::start(state, parts, serving.clone()).await?;
        let connector = Connector::try_new(&[&address], None, Some(&token)).map_err(failed)?;
        let settings = Settings {
            worker: fresh_name()?,
            slots,
            scratch: state.join("worker"),
            scratch_bytes: 1 << 40,
            keep_weights: keep_weights.map(Path::to_owned),
            grace: GRACE,
            host: host::name(),
            jitter: entropy()?,
        };
        let config = Config::try_new(settings).map_err(|wrong| Failure::usage(wrong.to_string()))?;
        let clock = Arc::new(SystemClock::new());
        let worker = work(config, connector, clock, working.clone());
        working.spawn("worker", async move { worker.await.map(|_outcome| ()) });
        let url = ServerUrl::parse(&address).map_err(failed)?;
        let remote = Remote::connect(&url.into(), Some(&token), &TlsFiles::default()).await?;
        Ok(Self { remote, serving, working })
    }

    /// The way to its coordinator.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Waits until a part stops by itself, which it never should.
    pub async fn broken(&self) {
        tokio::select! {
            () = self.serving.begun() => {}
            () = self.working.begun() => {}
        }
    }

    /// Stops the worker, which hands back checkpoints, then the coordinator.
    ///
    /// # Errors
    /// What did not stop in time or had failed.
    pub async fn stop(self) -> Result<(), Failure> {
        self.working.begin();
        let worked = self.working.finished(GRACE + Duration::from_secs(5)).await;
        drop(self.remote);
        self.serving.begin();
        let served = self.serving.finished(GRACE).await;
        for outcome in [worked, served] {
            if !outcome.is_clean() {
                return Err(Failure::failed(outcome.to_string()));
            }
        }
        Ok(())
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::failed(error.to_string())
}
