//! Connections that follow the leader among several servers.
//!
//! A server that does not lead refuses a call and names the leader in a header; one that is gone refuses the
//! connection. Either moves the *next* call on: nothing is sent twice here, since only the caller knows what may
//! be repeated.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::transport::{Channel, Endpoint, Error, Uri};

/// An answer that takes so long that its caller goes away is no answer: the server may be frozen.
const SILENCE: Duration = Duration::from_secs(4);

/// Makes an endpoint of an address that a server names; nothing if it may not be used.
type Make = dyn Fn(&str) -> Option<Endpoint> + Send + Sync;
/// Makes a channel that connects, again and again, when it is used.
type Dial = dyn Fn(&Endpoint) -> Channel + Send + Sync;

/// Servers of which one leads. Clones share what is known of the leader.
#[derive(Clone)]
pub struct Servers(Arc<Inner>);

struct Inner {
    /// Those that were configured; never empty.
    endpoints: Vec<Endpoint>,
    header: &'static str,
    make: Box<Make>,
    dial: Box<Dial>,
    target: Mutex<Target>,
}

/// The server that is called now.
struct Target {
    endpoint: Endpoint,
    /// The place of the latest configured one among them.
    place: usize,
    /// Counts moves, so that of many calls that fail with one server only the first moves on.
    turn: u64,
}

impl Servers {
    /// Servers at `first` and `others`. Those that a refusal names in `header` are used if `make` makes an
    /// endpoint of the name.
    pub fn new(
        first: Endpoint,
        others: impl IntoIterator<Item = Endpoint>,
        header: &'static str,
        make: impl Fn(&str) -> Option<Endpoint> + Send + Sync + 'static,
        dial: impl Fn(&Endpoint) -> Channel + Send + Sync + 'static,
    ) -> Self {
        let target = Mutex::new(Target { endpoint: first.clone(), place: 0, turn: 0 });
        let endpoints = std::iter::once(first).chain(others).collect();
        Self(Arc::new(Inner { endpoints, header, make: Box::new(make), dial: Box::new(dial), target }))
    }

    /// A connection, made when it is used; its clones share it.
    pub fn connection(&self) -> Following {
        Following { servers: self.clone(), held: Arc::default() }
    }

    /// The server that is called now.
    pub fn current(&self) -> Uri {
        self.target().endpoint.uri().clone()
    }

    /// How many were configured.
    pub fn configured(&self) -> usize {
        self.0.endpoints.len()
    }

    /// From now on calls the server of this name. False if it may not be used.
    pub fn turn_to(&self, name: &str) -> bool {
        let turn = self.target().turn;
        (self.0.make)(name).map(|endpoint| self.replace(turn, endpoint)).is_some()
    }

    /// From now on calls the next of the configured servers.
    pub fn turn_to_next(&self) {
        let turn = self.target().turn;
        self.leave(turn, None);
    }

    /// The server of this turn is not the one to call: go on to the one it names, or to the next.
    fn leave(&self, turn: u64, named: Option<&str>) {
        if let Some(endpoint) = named.and_then(|name| (self.0.make)(name)) {
            return self.replace(turn, endpoint);
        }
        let mut target = self.target();
        if target.turn == turn {
            target.place = (target.place + 1) % self.0.endpoints.len();
            let endpoint = self.0.endpoints[target.place].clone();
            target.go_to(endpoint);
        }
    }

    fn replace(&self, turn: u64, endpoint: Endpoint) {
        let mut target = self.target();
        if target.turn == turn {
            target.go_to(endpoint);
        }
    }

    fn target(&self) -> MutexGuard<'_, Target> {
        // Nothing panics while it is held.
        self.0.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    fn go_to(&mut self, endpoint: Endpoint) {
        if endpoint.uri() != self.endpoint.uri() {
            self.endpoint = endpoint;
            self.turn += 1;
        }
    }
}

/// A connection to whichever server leads.
#[derive(Clone)]
pub struct Following {
    servers: Servers,
    held: Arc<Mutex<Option<(u64, Channel)>>>,
}

impl Following {
    /// The channel to the server that is called now, and its turn.
    fn channel(&self) -> (u64, Channel) {
        let (turn, endpoint) = {
            let target = self.servers.target();
            (target.turn, target.endpoint.clone())
        };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some((at, channel)) if *at == turn => (turn, channel.clone()),
            _ => {
                let channel = (self.servers.0.dial)(&endpoint);
                *held = Some((turn, channel.clone()));
                (turn, channel)
            }
        }
    }
}

impl Service<http::Request<Body>> for Following {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = BoxFuture<Self::Response, Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Which channel it will be is decided by the call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (turn, mut channel) = self.channel();
        let servers = self.servers.clone();
        Box::pin(async move {
            let waiting = Waiting { servers: &servers, turn, since: Instant::now(), answered: false };
            let answered = async {
                std::future::poll_fn(|context| channel.poll_ready(context)).await?;
                channel.call(request).await
            };
            let answer = waiting.until(answered).await;
            match &answer {
                Err(_) => servers.leave(turn, None),
                Ok(answer) => {
                    let headers = answer.headers();
                    let named = headers.get(servers.0.header).and_then(|name| name.to_str().ok());
                    let away = headers.get("grpc-status").is_some_and(|code| is_unavailable(code.as_bytes()));
                    if named.is_some() || away {
                        servers.leave(turn, named);
                    }
                }
            }
            answer
        })
    }
}

fn is_unavailable(code: &[u8]) -> bool {
    Code::from_bytes(code) == Code::Unavailable
}

/// A call that waits for its answer; one that is given up after a long silence moves the next call on.
struct Waiting<'s> {
    servers: &'s Servers,
    turn: u64,
    since: Instant,
    answered: bool,
}

impl Waiting<'_> {
    async fn until<T>(mut self, answer: impl Future<Output = T>) -> T {
        let answer = answer.await;
        self.answered = true;
        answer
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered && self.since.elapsed() >= SILENCE {
            self.servers.leave(self.turn, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(names: [&'static str; 2]) -> Servers {
        let [first, second] = names.map(Endpoint::from_static);
        let make = |name: &str| name.starts_with("http://").then(|| Endpoint::from_shared(name.to_owned()));
        let make = move |name: &str| make(name).and_then(Result::ok);
        Servers::new(first, [second], "leader", make, Endpoint::connect_lazy)
    }

    #[test]
    fn of_many_calls_that_fail_with_one_server_one_moves_on() {
        let servers = servers(["http://a:1", "http://b:1"]);
        let turn = servers.target().turn;
        servers.leave(turn, None);
        servers.leave(turn, None);
        assert_eq!(servers.current(), "http://b:1/");
        let turn = servers.target().turn;
        servers.leave(turn, Some("http://c:1"));
        assert_eq!(servers.current(), "http://c:1/", "one that was named, not configured");
        let turn = servers.target().turn;
        servers.leave(turn, Some("ftp://d:1"));
        assert_eq!(servers.current(), "http://a:1/", "a name that may not be used is as good as none");
        assert!(!servers.turn_to("ftp://d:1"));
        servers.turn_to_next();
        assert_eq!(servers.current(), "http://b:1/");
    }

    #[tokio::test]
    async fn a_connection_is_kept_while_its_server_is_the_one() {
        let servers = servers(["http://127.0.0.1:1", "http://127.0.0.1:2"]);
        let connection = servers.connection();
        let (first, _) = connection.channel();
        assert_eq!(connection.channel().0, first);
        let mut failing = connection.clone();
        // Nothing listens on these ports, so the call fails and the next one goes to the other server.
        assert!(failing.call(http::Request::new(Body::empty())).await.is_err());
        assert_ne!(connection.channel().0, first);
        assert_eq!(servers.current(), "http://127.0.0.1:2/");
    }
}
