//! One stream after another: connecting, saying hello, waiting after a break.

use std::pin::Pin;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use umbra_proto::error::LEADER_HEADER;
use umbra_proto::v1::{self, connect_request, connect_response};
use umbra_runtime::backoff::Waits;

use crate::connector::Client;

/// Messages that may wait to be sent: more than a new stream begins with, which is a message or two for
/// each of 1024 slots. A peer that leaves so many unread is as good as gone.
const OUTBOX: usize = 4096;
/// The longest wait before a leader that was named is called.
const FOLLOWING: Duration = Duration::from_millis(200);
/// How long the coordinator may take to say welcome.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(20);

/// What happened on the link.
pub(super) enum LinkEvent {
    /// It is time to connect: call [`Link::open`] with a fresh hello.
    Due,
    /// The stream is up.
    Up(v1::Welcome),
    /// The coordinator said something.
    Message(Box<connect_response::Message>),
    /// The stream broke or could not be had; [`LinkEvent::Due`] follows after a while.
    Down(Status, Duration),
}

/// The way to the coordinator, up or down.
pub(super) struct Link {
    client: Client,
    waits: Waits,
    state: State,
}

enum State {
    Waiting(Pin<Box<Sleep>>),
    Opening(BoxFuture<'static, Result<(Stream, v1::Welcome), Status>>),
    Up(Box<Stream>),
}

struct Stream {
    inbound: Streaming<v1::ConnectResponse>,
    outbound: mpsc::Sender<v1::ConnectRequest>,
}

impl Link {
    /// A link that is due at once.
    pub(super) fn new(client: Client, waits: Waits) -> Self {
        Self { client, waits, state: State::Waiting(Box::pin(tokio::time::sleep(Duration::ZERO))) }
    }

    /// Waits for the next event. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> LinkEvent {
        let status = match &mut self.state {
            State::Waiting(sleep) => {
                sleep.as_mut().await;
                return LinkEvent::Due;
            }
            State::Opening(opening) => match opening.await {
                Ok((stream, welcome)) => {
                    self.state = State::Up(Box::new(stream));
                    return LinkEvent::Up(welcome);
                }
                Err(status) => status,
            },
            State::Up(stream) => loop {
                match stream.inbound.message().await {
                    Ok(Some(v1::ConnectResponse { message: Some(message) })) => {
                        return LinkEvent::Message(Box::new(message));
                    }
                    // A message of a kind that this release does not know.
                    Ok(Some(_)) => {}
                    Ok(None) => break Status::unavailable("the coordinator ended the session"),
                    Err(status) => break status,
                }
            },
        };
        self.close(status)
    }

    /// Begins a stream with this hello.
    pub(super) fn open(&mut self, hello: v1::Hello) {
        let client = self.client.clone();
        let opening = tokio::time::timeout(WELCOME_TIMEOUT, open(client, hello))
            .map(|opened| opened.unwrap_or_else(|_| Err(Status::deadline_exceeded("no welcome in time"))));
        self.state = State::Opening(opening.boxed());
    }

    /// Gives the stream up, for the reason in `status`.
    pub(super) fn close(&mut self, status: Status) -> LinkEvent {
        let wait = self.waits.after_failure();
        // Whoever names the leader leaves nothing to wait for, but for one that is named in a circle.
        let named = status.metadata().contains_key(LEADER_HEADER);
        let wait = if named { wait.min(FOLLOWING) } else { wait };
        self.state = State::Waiting(Box::pin(tokio::time::sleep(wait)));
        LinkEvent::Down(status, wait)
    }

    /// The stream has held for a while: the next break begins with short waits.
    pub(super) fn steady(&mut self) {
        self.waits.reset();
    }

    /// Whether the stream is up.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Sends a message if the stream is up; what must arrive is repeated on the next stream. False if
    /// the stream can take no more: then it is to be closed, since it lost a message.
    #[must_use]
    pub(super) fn send(&mut self, message: connect_request::Message) -> bool {
        let State::Up(stream) = &self.state else { return true };
        stream.outbound.try_send(v1::ConnectRequest { message: Some(message) }).is_ok()
    }

    /// Ends this side of the stream and waits until the coordinator ends its own.
    pub(super) async fn finish(&mut self) {
        let State::Up(stream) = &mut self.state else { return };
        let (closed, _) = mpsc::channel(1);
        stream.outbound = closed;
        while let Ok(Some(_)) = stream.inbound.message().await {}
    }
}

async fn open(mut client: Client, hello: v1::Hello) -> Result<(Stream, v1::Welcome), Status> {
    let (outbound, queue) = mpsc::channel(OUTBOX);
    let hello = v1::ConnectRequest { message: Some(connect_request::Message::Hello(hello)) };
    outbound.try_send(hello).expect("a new queue has room");
    let mut inbound = client.connect(ReceiverStream::new(queue)).await?.into_inner();
    match inbound.message().await? {
        Some(v1::ConnectResponse { message: Some(connect_response::Message::Welcome(welcome)) }) => {
            Ok((Stream { inbound, outbound }, welcome))
        }
        Some(_) => Err(Status::internal("the coordinator did not begin with a welcome")),
        None => Err(Status::unavailable("the coordinator ended the session without a welcome")),
    }
}
