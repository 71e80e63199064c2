//! Calls to a cluster of several endpoints.
//!
//! Each endpoint has a client of its own, and calls stay with the endpoint that answered last: a balanced
//! channel would come back to a dead one every time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, KvClient};
use tokio::time::{Instant, timeout_at};

use super::super::StoreError;
use super::failure::Failure;
use super::options::EtcdOptions;

/// How long an endpoint may take to answer before the next one is asked.
const ATTEMPT: Duration = Duration::from_secs(1);

/// How long all attempts may take: a cluster without a leader elects one within.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The wait after every endpoint has failed at once.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a connection with calls on it is tried, and how long it may stay silent then. etcd closes
/// connections that are tried more often than every five seconds.
const ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3));

/// The largest answer that is taken: the first entries of a page, however large.
pub const MAX_ANSWER: usize = 20 << 20;

/// A cluster as its clients see it.
pub struct Calls {
    endpoints: Vec<Endpoint>,
    connect: ConnectOptions,
    /// Which endpoint is asked first.
    at: AtomicUsize,
}

struct Endpoint {
    url: String,
    /// Absent before the first call, and after one without an answer.
    client: Mutex<Option<Client>>,
}

impl Endpoint {
    fn client(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    /// The calls to these endpoints; nothing is sent yet.
    pub fn new(options: &EtcdOptions) -> Self {
        let mut connect = ConnectOptions::new()
            .with_connect_timeout(ATTEMPT)
            .with_keep_alive(ALIVE.0, ALIVE.1)
            .with_keep_alive_while_idle(false)
            .with_auto_token_refresh(true)
            .with_require_leader(true);
        if let Some(user) = options.user() {
            connect = connect.with_user(&user.name, &user.password);
        }
        if let Some(files) = options.tls() {
            connect = connect.with_tls(files.client());
        }
        let urls = options.endpoints().iter().cloned();
        let endpoints = urls.map(|url| Endpoint { url, client: Mutex::new(None) }).collect();
        Self { endpoints, connect, at: AtomicUsize::new(0) }
    }

    /// What `ask` gets within [`PATIENCE`], from whichever endpoint answers. `ask` may be done several
    /// times, and may have happened even if it fails.
    pub async fn ask<T, F>(&self, ask: impl Fn(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        self.ask_until(Instant::now() + PATIENCE, ask).await
    }

    /// The same until `deadline`.
    pub async fn ask_until<T, F>(&self, deadline: Instant, ask: impl Fn(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let mut may_have_happened = false;
        let mut said = None;
        loop {
            for _ in &self.endpoints {
                let (reason, sent) = match self.ask_once(deadline, &ask).await {
                    Err(Failure::Away { reason, sent }) => (reason, sent),
                    result => return result,
                };
                may_have_happened |= sent;
                if Instant::now() >= deadline {
                    // The last attempt was cut short: the one before knows more.
                    let reason = said.unwrap_or(reason);
                    return Err(Failure::Away { reason, sent: may_have_happened });
                }
                said = Some(reason);
            }
            tokio::time::sleep_until(deadline.min(Instant::now() + PAUSE)).await;
        }
    }

    /// One attempt at one endpoint; if that gives no answer, the next attempt is at the next one.
    pub async fn ask_once<T, F>(&self, deadline: Instant, ask: impl Fn(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let at = self.at.load(Ordering::Relaxed) % self.endpoints.len();
        let endpoint = &self.endpoints[at];
        let deadline = deadline.min(Instant::now() + ATTEMPT);
        let failure = match timeout_at(deadline, self.connected(endpoint)).await {
            Err(_) => Failure::late(false),
            // Without a client nothing was sent but a password.
            Ok(Err(Failure::Away { reason, .. })) => Failure::Away { reason, sent: false },
            Ok(Err(failure)) => failure,
            Ok(Ok(client)) => match timeout_at(deadline, ask(client)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error.into(),
                Err(_) => Failure::late(true),
            },
        };
        let Failure::Away { reason, sent } = failure else { return Err(failure) };
        // A connection that was cut off would be tried in vain for minutes.
        *endpoint.client() = None;
        let next = (at + 1) % self.endpoints.len();
        let _ = self.at.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        Err(Failure::Away { reason: format!("{}: {reason}", endpoint.url), sent })
    }

    async fn connected(&self, endpoint: &Endpoint) -> Result<Client, Failure> {
        if let Some(client) = &*endpoint.client() {
            return Ok(client.clone());
        }
        let client = Client::connect([&endpoint.url], Some(self.connect.clone())).await?;
        *endpoint.client() = Some(client.clone());
        Ok(client)
    }

    /// A failure of a read, or before anything was written, in words.
    pub fn unusable(&self, failure: Failure) -> StoreError {
        StoreError::Unavailable(self.words(&failure))
    }

    /// A failure in words.
    pub fn words(&self, failure: &Failure) -> String {
        match failure {
            Failure::Refused(reason) => format!("etcd refuses: {reason}"),
            Failure::NoLease => "the leader's lease in etcd has ended".to_owned(),
            Failure::TooLong => "etcd's answer is larger than anything a coordinator writes".to_owned(),
            Failure::Compacted => "etcd was compacted meanwhile: try again".to_owned(),
            Failure::Away { reason, .. } if self.endpoints.len() == 1 => {
                format!("etcd gives no answer ({reason}): see that it runs and can be reached from here")
            }
            Failure::Away { reason, .. } => format!(
                "no etcd of {} answers (the last, {reason}): see that most of them run and can be reached \
                 from here",
                self.endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect::<Vec<_>>().join(", ")
            ),
        }
    }
}

/// Reads and writes that take answers as large as a page may be.
pub fn values(client: &Client) -> KvClient {
    client.kv_client().max_decoding_message_size(MAX_ANSWER)
}
