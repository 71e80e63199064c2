//! A real etcd of a test's own: one node or three, on free ports, killed, frozen and started again. This file
//! stands alone, since tests of crates below this one use it, too.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Names the program `etcd`.
const VARIABLE: &str = "UMBRA_ETCD";
/// What a node says once clients may ask.
const READY: &str = "ready to serve client requests";
/// Far beyond what a start takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often ports that somebody took in between are drawn anew.
const DRAWS: usize = 5;

/// A cluster of nodes; it is gone when dropped.
pub struct EtcdNodes {
    program: OsString,
    nodes: Vec<Node>,
    // Last, so that it goes when the processes are gone.
    _folder: TempDir,
}

struct Node {
    url: String,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl EtcdNodes {
    /// Starts so many nodes and waits until they serve. `None`, and a line that counts `tests` skipped, where
    /// there is no program for it.
    ///
    /// # Panics
    /// If they do not start.
    pub fn start(tests: usize, count: usize) -> Option<Self> {
        Self::start_with(tests, count, "http", &[])
    }

    /// The same with further arguments, asked by clients over `scheme`.
    ///
    /// # Panics
    /// If they do not start.
    pub fn start_with(tests: usize, count: usize, scheme: &str, more: &[String]) -> Option<Self> {
        let Some(program) = std::env::var_os(VARIABLE) else {
            println!("skipped {tests}: {VARIABLE} names no program etcd");
            return None;
        };
        let drawn = (0..DRAWS).find_map(|_| Self::draw(&program, count, scheme, more));
        Some(drawn.unwrap_or_else(|| panic!("{} does not start {count} nodes", program.display())))
    }

    fn draw(program: &OsString, count: usize, scheme: &str, more: &[String]) -> Option<Self> {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let ports = free_ports(2 * count);
        let (clients, peers) = ports.split_at(count);
        let members: Vec<String> =
            peers.iter().enumerate().map(|(i, port)| format!("n{i}=http://127.0.0.1:{port}")).collect();
        let nodes = clients.iter().zip(peers).enumerate().map(|(i, (client, peer))| {
            let url = format!("{scheme}://127.0.0.1:{client}");
            let peer = format!("http://127.0.0.1:{peer}");
            let data = folder.path().join(format!("n{i}")).display().to_string();
            let flags = [
                ("--name", format!("n{i}")),
                ("--data-dir", data),
                ("--listen-client-urls", url.clone()),
                ("--advertise-client-urls", url.clone()),
                ("--listen-peer-urls", peer.clone()),
                ("--initial-advertise-peer-urls", peer),
                ("--initial-cluster", members.join(",")),
            ];
            let flags = flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
            // No test takes the machine's power away.
            let mut arguments: Vec<String> = flags.chain(["--unsafe-no-fsync".to_owned()]).collect();
            arguments.extend_from_slice(more);
            Node { url, arguments, log: folder.path().join(format!("n{i}.log")), child: None }
        });
        let nodes = nodes.collect();
        let mut cluster = Self { program: program.clone(), nodes, _folder: folder };
        let all: Vec<usize> = (0..count).collect();
        cluster.launch(&all).then_some(cluster)
    }

    /// Where the nodes answer.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.url.clone()).collect()
    }

    /// The node that leads; for nodes without TLS.
    ///
    /// # Panics
    /// If nobody leads for long.
    pub fn leader(&self) -> usize {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let leads = |node: &Node| node.child.is_some() && is_leader(&node.url) == Some(true);
            if let Some(found) = self.nodes.iter().position(leads) {
                return found;
            }
        }
        panic!("no node of etcd leads");
    }

    /// Kills nodes at once.
    ///
    /// # Panics
    /// If one is gone already.
    pub fn kill(&mut self, nodes: &[usize]) {
        for node in nodes {
            let mut child = self.nodes[*node].child.take().expect("it runs");
            child.kill().expect("it can be killed");
            child.wait().expect("it can be waited for");
        }
    }

    /// Starts killed nodes again over what they kept, and waits until they serve.
    ///
    /// # Panics
    /// If they do not.
    pub fn restart(&mut self, nodes: &[usize]) {
        assert!(self.launch(nodes), "the nodes {nodes:?} of etcd do not start again");
    }

    /// Freezes a node.
    ///
    /// # Panics
    /// If the system refuses.
    pub fn freeze(&self, node: usize) {
        self.signal(node, "-STOP");
    }

    /// Thaws a frozen node.
    ///
    /// # Panics
    /// If the system refuses.
    pub fn thaw(&self, node: usize) {
        self.signal(node, "-CONT");
    }

    fn signal(&self, node: usize, signal: &str) {
        let pid = self.nodes[node].child.as_ref().expect("it runs").id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().expect("there is a program kill");
        assert!(status.success(), "kill {signal} {pid}");
    }

    /// Starts nodes together, since a cluster gets ready together; whether all do.
    fn launch(&mut self, nodes: &[usize]) -> bool {
        let ready: Vec<_> = nodes.iter().map(|node| self.nodes[*node].spawn(&self.program)).collect();
        ready.iter().all(|ready| ready.recv_timeout(PATIENCE) == Ok(true))
    }
}

impl Node {
    /// Starts it. Whether it serves, or has ended, is told.
    fn spawn(&mut self, program: &OsString) -> Receiver<bool> {
        let mut command = Command::new(program);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        self.child = Some(child);
        let mut log = std::fs::File::create(&self.log).expect("a test can write to its folder");
        let (tell, told) = channel();
        // It ends with the process; nobody listens once the node serves.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = writeln!(log, "{line}");
                if line.contains(READY) {
                    let _ = tell.send(true);
                }
            }
            let _ = tell.send(false);
        });
        told
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

/// Ports that nobody listens on now.
fn free_ports(count: usize) -> Vec<u16> {
    // All are held until the last is known, so that they differ.
    let held: Vec<_> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports"))
        .collect();
    held.iter().map(|listener| listener.local_addr().expect("it has an address").port()).collect()
}

/// Whether the node at a URL leads, as it says itself; nothing if it does not answer.
fn is_leader(url: &str) -> Option<bool> {
    let address = url.strip_prefix("http://").expect("only nodes without TLS are asked");
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let request = "POST /v3/maintenance/status HTTP/1.1\r\nhost: etcd\r\ncontent-type: application/json\r\n\
                   content-length: 2\r\nconnection: close\r\n\r\n{}";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let number = |key: &str| {
        let (_, rest) = answer.split_once(&format!("\"{key}\":\""))?;
        rest.split('"').next().map(str::to_owned)
    };
    Some(number("member_id")? == number("leader")?)
}
