//! A worker behind a network that can be cut: a namespace of its own, which only root may make.
//!
//! Plain connections stay on one machine, so a relay in the namespace takes what the worker sends to loopback
//! over the cable, and another one at its near end hands it to the coordinators. A cut cable is silent: nobody
//! is told that a connection is over.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use umbra_tests::{Audit, Fleet, Journal, Place, Process, Worker, turn};

use crate::baseline::{assert_unharmed, checkpoint, elsewhere, wait};
use crate::wanted;

/// Tells a child of this test what to relay: `FROM TO PORT...`.
const RELAY: &str = "UMBRA_TEST_RELAY";

#[test]
fn a_worker_whose_network_is_cut_counts_for_nothing_until_it_is_back() {
    if let Ok(line) = std::env::var(RELAY) {
        return relay(&line);
    }
    if !wanted() {
        return;
    }
    let _turn = turn();
    let Some(fleet) = Fleet::start(1, 3) else { return };
    let Some(apart) = Apart::of(&fleet) else { return };
    let far = apart.worker(&fleet, "far");
    let heir = fleet.worker("heir", 1);
    let (audit, before) = (Audit::medium(), fleet.journal.now());
    let id = fleet.submit(&audit);
    let heard = checkpoint(&fleet, &far, before);
    apart.cut();
    let again = elsewhere(&fleet, &heir, &heard, heard.after);
    apart.mend();
    wait(&fleet, again, "the worker to come back", |entry| {
        entry.message() == "worker joined" && far.is_meant(entry)
    });
    assert_unharmed(&fleet, &audit, &id, "a worker's network was cut");
}

/// A namespace that sees a fleet's coordinators over a cable, and nothing else.
pub struct Apart {
    _relays: [Process; 2],
    // Last, so that it goes when nobody uses it.
    cable: Cable,
}

impl Apart {
    /// Makes one. `None`, and a line that counts a test skipped, where that is not allowed.
    pub fn of(fleet: &Fleet) -> Option<Self> {
        let cable = Cable::lay()?;
        let server = fleet.server();
        let port = |url: &str| url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let ports: Vec<u16> = server.split(',').map(|url| port(url).expect("they have ports")).collect();
        let near = cable.relay("near end", false, &ports, &fleet.journal);
        let far = cable.relay("far end", true, &ports, &fleet.journal);
        Some(Self { _relays: [near, far], cable })
    }

    /// Starts a worker in it.
    pub fn worker(&self, fleet: &Fleet, name: &str) -> Worker {
        let scratch = fleet.folder().join("scratch");
        fleet.worker_by(name, 1, &scratch, |command| self.cable.behind(&command))
    }

    /// Cuts the cable.
    pub fn cut(&self) {
        self.cable.set("down");
    }

    /// Mends it.
    pub fn mend(&self) {
        self.cable.set("up");
    }
}

/// A cable from this machine into a namespace; both are gone when dropped.
struct Cable {
    namespace: String,
    near: String,
    /// The first three bytes of both ends' addresses.
    net: String,
}

impl Cable {
    /// Lays one. `None`, and a line that counts a test skipped, where that is not allowed.
    fn lay() -> Option<Self> {
        let id = std::process::id() % 0x1_0000;
        let cable = Self {
            namespace: format!("umbra-{id}"),
            near: format!("um{id}a"),
            net: format!("10.{}.{}", id / 256, id % 256),
        };
        let Self { namespace, near, net } = &cable;
        let far = format!("um{id}b");
        let laid = ip(&format!("netns add {namespace}"))
            && ip(&format!("link add {near} type veth peer name {far} netns {namespace}"))
            && ip(&format!("addr add {net}.1/30 dev {near}"))
            && ip(&format!("link set {near} up"))
            && ip(&format!("-n {namespace} addr add {net}.2/30 dev {far}"))
            && ip(&format!("-n {namespace} link set {far} up"))
            && ip(&format!("-n {namespace} link set lo up"));
        if laid {
            return Some(cable);
        }
        println!("skipped 1: no network namespace can be made here, which takes root and ip");
        None
    }

    /// Cuts it ("down") or mends it ("up").
    fn set(&self, state: &str) {
        assert!(ip(&format!("link set {} {state}", self.near)), "{} {state}", self.near);
    }

    /// A command as it runs behind the cable.
    fn behind(&self, command: &Command) -> Command {
        let mut behind = Command::new("ip");
        behind.args(["netns", "exec", &self.namespace]).arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            behind.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => behind.env(name, value),
                None => behind.env_remove(name),
            };
        }
        behind
    }

    /// A relay at one end, once it listens.
    fn relay(&self, name: &str, is_far: bool, ports: &[u16], journal: &Journal) -> Process {
        let near = format!("{}.1", self.net);
        let (from, to) = if is_far { ("127.0.0.1", near.as_str()) } else { (near.as_str(), "127.0.0.1") };
        let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let mut command = Command::new(std::env::current_exe().expect("a test knows its executable"));
        let this = "network::a_worker_whose_network_is_cut_counts_for_nothing_until_it_is_back";
        command.args(["--exact", this, "--nocapture"]);
        command.env(RELAY, format!("{from} {to} {}", ports.join(" ")));
        let command = if is_far { self.behind(&command) } else { command };
        let process = Process::start(name, command, journal);
        journal.wait(Place::default(), &format!("the {name} to listen"), |entry| {
            entry.source == name && entry.line.as_ref().is_some_and(|line| line.contains("relaying"))
        });
        process
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // The cable goes with the namespace.
        ip(&format!("netns del {}", self.namespace));
    }
}

/// Runs `ip`; whether it worked.
fn ip(line: &str) -> bool {
    let output = Command::new("ip").args(line.split(' ')).output();
    output.is_ok_and(|output| output.status.success())
}

/// Takes every connection to a port at one address to the same port at another, until it is killed.
fn relay(line: &str) {
    let mut words = line.split(' ');
    let (from, to) = (words.next().expect("an address"), words.next().expect("an address"));
    let listening: Vec<_> = words
        .map(|port| {
            let listener = TcpListener::bind(format!("{from}:{port}")).expect("the port is free");
            let target = format!("{to}:{port}");
            std::thread::spawn(move || {
                for client in listener.incoming().map_while(Result::ok) {
                    let target = target.clone();
                    std::thread::spawn(move || join(client, &target));
                }
            })
        })
        .collect();
    println!("relaying");
    for thread in listening {
        let _ = thread.join();
    }
}

/// Lets bytes through in both directions until one side ends.
fn join(client: TcpStream, target: &str) {
    let Ok(server) = TcpStream::connect(target) else { return };
    let both = client.try_clone().and_then(|client| Ok((client, server.try_clone()?)));
    let Ok((mut from_client, mut to_server)) = both else { return };
    let back = std::thread::spawn(move || {
        let (mut from_server, mut to_client) = (server, client);
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    });
    let _ = io::copy(&mut from_client, &mut to_server);
    let _ = to_server.shutdown(std::net::Shutdown::Both);
    let _ = back.join();
}
