//! A way to etcd on which answers, or requests, of the connections that are open can get stuck.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What happens to bytes on connections of one kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Free,
    Held,
    Dropped,
}

/// The proxy; it ends with the test's runtime.
pub struct Proxy {
    pub url: String,
    shared: Arc<Shared>,
    _running: JoinSet<()>,
}

struct Shared {
    /// To etcd, for connections opened before they were held.
    requests: watch::Sender<Flow>,
    /// From etcd, the same.
    answers: watch::Sender<Flow>,
}

impl Proxy {
    /// A way to the etcd at `url`. Only the first connection can be cut.
    pub async fn start(url: &str) -> Self {
        let target = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            requests: watch::Sender::new(Flow::Free),
            answers: watch::Sender::new(Flow::Free),
        });
        let mut running = JoinSet::new();
        let own = shared.clone();
        running.spawn(async move {
            let mut flows = JoinSet::new();
            let free = watch::Sender::new(Flow::Free);
            let mut first = true;
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let (requests, answers) = if first {
                    (own.requests.subscribe(), own.answers.subscribe())
                } else {
                    (free.subscribe(), free.subscribe())
                };
                first = false;
                flows.spawn(pump(from_client, to_server, requests));
                flows.spawn(pump(from_server, to_client, answers));
            }
        });
        Self { url, shared, _running: running }
    }

    /// What etcd answers is thrown away.
    pub fn drop_answers(&self) {
        self.shared.answers.send_replace(Flow::Dropped);
    }

    /// What is asked lies on the way.
    pub fn hold_requests(&self) {
        self.shared.requests.send_replace(Flow::Held);
    }

    /// It comes through, late.
    pub fn release(&self) {
        self.shared.requests.send_replace(Flow::Free);
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut flow: watch::Receiver<Flow>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let Ok(now) = flow.wait_for(|flow| *flow != Flow::Held).await.map(|flow| *flow) else { return };
        if now == Flow::Free && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
