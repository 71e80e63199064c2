//! Real etcd: the binary that `UMBRA_ETCD` names, one node or three.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use tempfile::TempDir;

/// What a node says once clients may ask.
const READY: &str = "ready to serve client requests";

/// How long a node may take to say so.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often ports that others took in between are drawn anew.
const DRAWS: usize = 5;

/// The etcd to test with; none is counted and said.
pub fn binary() -> Option<OsString> {
    let named = std::env::var_os("UMBRA_ETCD");
    if named.is_none() {
        eprintln!("skipped 1 test: UMBRA_ETCD names no etcd");
    }
    named
}

/// Some nodes that are one cluster.
pub struct Servers {
    pub nodes: Vec<Node>,
    /// Removed when everything is over.
    _folder: TempDir,
}

/// One node.
pub struct Node {
    pub url: String,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Servers {
    /// Starts `count` nodes and waits until each answers.
    pub fn start(count: usize) -> Option<Self> {
        Self::start_with(count, "http", &[])
    }

    /// The same with further arguments; `scheme` is how clients ask.
    pub fn start_with(count: usize, scheme: &str, more: &[String]) -> Option<Self> {
        let binary = binary()?;
        (0..DRAWS).find_map(|_| Self::draw(&binary, count, scheme, more)).or_else(|| panic!("no etcd starts"))
    }

    fn draw(binary: &OsString, count: usize, scheme: &str, more: &[String]) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        // All are bound at once, so that no two are the same.
        let listeners: Vec<_> = (0..2 * count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(listeners);
        let (clients, peers) = ports.split_at(count);
        let members: Vec<_> =
            peers.iter().enumerate().map(|(i, port)| format!("n{i}=http://127.0.0.1:{port}")).collect();
        let nodes = clients.iter().zip(peers).enumerate().map(|(i, (client, peer))| {
            let url = format!("{scheme}://127.0.0.1:{client}");
            let peer = format!("http://127.0.0.1:{peer}");
            let data = folder.path().join(format!("n{i}"));
            let mut arguments: Vec<String> = [
                ("--name", format!("n{i}")),
                ("--data-dir", data.display().to_string()),
                ("--listen-client-urls", url.clone()),
                ("--advertise-client-urls", url.clone()),
                ("--listen-peer-urls", peer.clone()),
                ("--initial-advertise-peer-urls", peer),
                ("--initial-cluster", members.join(",")),
            ]
            .into_iter()
            .flat_map(|(flag, value)| [flag.to_owned(), value])
            .collect();
            // No test takes the machine's power away.
            arguments.push("--unsafe-no-fsync".to_owned());
            arguments.extend_from_slice(more);
            Node { url, arguments, log: folder.path().join(format!("n{i}.log")), child: None }
        });
        let mut servers = Self { nodes: nodes.collect(), _folder: folder };
        // A cluster is ready together.
        let ready: Vec<_> = servers.nodes.iter_mut().map(|node| node.spawn(binary)).collect();
        ready.into_iter().all(|ready| ready.recv_timeout(PATIENCE).unwrap()).then_some(servers)
    }

    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.url.clone()).collect()
    }

    /// A client of its own, to look and to meddle.
    pub async fn client(&self) -> Client {
        let options = ConnectOptions::new().with_timeout(Duration::from_secs(10));
        Client::connect([&self.nodes[0].url], Some(options)).await.unwrap()
    }

    /// Which node leads the cluster.
    pub async fn leader(&self) -> usize {
        let status = self.client().await.status().await.unwrap();
        for (index, node) in self.nodes.iter().enumerate() {
            let mut client = Client::connect([&node.url], None).await.unwrap();
            let own = client.status().await.unwrap().header().unwrap().member_id();
            if own == status.leader() {
                return index;
            }
        }
        panic!("nobody leads");
    }
}

impl Node {
    /// Starts it; whether it got ready, or ended, is told.
    fn spawn(&mut self, binary: &OsString) -> mpsc::Receiver<bool> {
        let mut command = Command::new(binary);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        self.child = Some(child);
        let (tell, ready) = mpsc::channel();
        let log = self.log.clone();
        std::thread::spawn(move || {
            let mut kept = std::fs::File::create(log).unwrap();
            for line in lines.map_while(Result::ok) {
                use std::io::Write as _;
                let _ = writeln!(kept, "{line}");
                if line.contains(READY) {
                    let _ = tell.send(true);
                }
            }
            let _ = tell.send(false);
        });
        ready
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Kills it and starts it again over what it kept.
    pub fn restart(&mut self) {
        self.kill();
        let binary = binary().expect("it ran before");
        assert!(self.spawn(&binary).recv_timeout(PATIENCE).unwrap(), "{} does not start again", self.url);
    }

    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One node for all tests that do it no harm, as long as one of them runs.
pub fn shared() -> Option<Arc<Servers>> {
    static SHARED: Mutex<Weak<Servers>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(servers) = shared.upgrade() {
        return Some(servers);
    }
    let servers = Arc::new(Servers::start(1)?);
    *shared = Arc::downgrade(&servers);
    Some(servers)
}

/// Runs `openssl` in a folder.
pub fn openssl(folder: &Path, line: &str) {
    let mut command = Command::new("openssl");
    let output = command.args(line.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
}
