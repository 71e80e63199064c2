//! A real S3 server (SeaweedFS) of a test's own: started on free ports, stopped, and started again over the
//! same folder. This file stands alone, since tests of crates below this one use it, too.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Names the program `weed`.
const VARIABLE: &str = "UMBRA_WEED";
/// Far beyond what a start takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many lines a failure shows.
const SHOWN: usize = 30;

const KEY: &str = "umbra";
const SECRET: &str = "a-secret-of-tests";

const CERTIFICATE: &str = "s3.pem";
const CERTIFICATE_KEY: &str = "s3.key";

/// A running server with one bucket; it is gone when dropped.
pub struct S3 {
    program: PathBuf,
    ports: [u16; 9],
    /// Whether it is spoken to over TLS.
    secured: bool,
    server: Option<Child>,
    // Last, so that it goes when the process is gone.
    folder: TempDir,
}

impl S3 {
    /// The bucket that is there.
    pub const BUCKET: &'static str = "umbra";

    /// Starts a server. `None`, and a line that counts `tests` skipped, where there is no program for it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(tests: usize) -> Option<Self> {
        Self::start_with(tests, false)
    }

    /// Starts a server that is spoken to over TLS, with a certificate of its own.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_secured(tests: usize) -> Option<Self> {
        Self::start_with(tests, true)
    }

    fn start_with(tests: usize, secured: bool) -> Option<Self> {
        let Some(program) = std::env::var_os(VARIABLE) else {
            println!("skipped {tests}: {VARIABLE} names no program weed, so there is no S3 server");
            return None;
        };
        let folder = TempDir::new().expect("a temporary folder can be made");
        // No more rights than the documentation asks for.
        let actions =
            ["Read", "Write", "List"].map(|right| format!("\"{right}:{}\"", Self::BUCKET)).join(", ");
        let identities = format!(
            "{{\"identities\": [{{\"name\": \"umbra\", \"actions\": [{actions}], \"credentials\": \
             [{{\"accessKey\": \"{KEY}\", \"secretKey\": \"{SECRET}\"}}]}}]}}"
        );
        std::fs::write(folder.path().join("s3.json"), identities).expect("a test can write to its folder");
        if secured {
            certificate(folder.path());
        }
        let mut s3 = Self { program: program.into(), ports: free_ports(), secured, server: None, folder };
        s3.restart();
        let made = status(s3.ports[6], "POST", &format!("/buckets/{}/", Self::BUCKET));
        assert!(matches!(made, Some(200..300)), "the bucket cannot be made: {made:?}");
        Some(s3)
    }

    /// Where it is.
    pub fn endpoint(&self) -> String {
        let (scheme, port) = if self.secured { ("https", self.ports[8]) } else { ("http", self.ports[0]) };
        format!("{scheme}://127.0.0.1:{port}")
    }

    /// What it is known by over TLS: its certificate, which is its own authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// The environment of who may use it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", self.endpoint()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Takes it away at once.
    ///
    /// # Panics
    /// If it is away already.
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.kill().expect("it can be killed");
        server.wait().expect("it can be waited for");
    }

    /// Starts it again, with everything it had.
    ///
    /// # Panics
    /// If it is there, or does not start.
    pub fn restart(&mut self) {
        assert!(self.server.is_none(), "it runs already");
        let (server, lines) = launch(&self.program, self.folder.path(), &self.ports, self.secured);
        self.server = Some(server);
        until_ready(&lines, || {
            status(self.ports[0], "GET", "/healthz") == Some(200)
                && status(self.ports[6], "GET", "/") == Some(200)
        });
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.stop();
        }
    }
}

/// Makes a certificate that is good for this machine.
fn certificate(folder: &Path) {
    let mut command = Command::new("openssl");
    command
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=umbra", "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", CERTIFICATE_KEY, "-out", CERTIFICATE])
        .current_dir(folder);
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn launch(program: &Path, folder: &Path, ports: &[u16; 9], secured: bool) -> (Child, Receiver<String>) {
    let within = |name: &str| folder.join(name).display().to_string();
    let tls = [
        format!("-s3.port.https={}", ports[8]),
        format!("-s3.cert.file={}", within(CERTIFICATE)),
        format!("-s3.key.file={}", within(CERTIFICATE_KEY)),
    ];
    let names = ["s3", "s3.port.grpc", "master", "master.port.grpc", "volume", "volume.port.grpc"];
    let names = names.into_iter().chain(["filer", "filer.port.grpc"]);
    let ports = names.zip(ports).map(|(name, port)| {
        if name.contains('.') { format!("-{name}={port}") } else { format!("-{name}.port={port}") }
    });
    let mut command = Command::new(program);
    command
        .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-master.telemetry=false"])
        .args(["-volume.max=20", "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"])
        .args(ports)
        .args(tls.iter().filter(|_| secured))
        .arg(format!("-dir={}", folder.display()))
        .arg(format!("-s3.config={}", within("s3.json")))
        .arg(format!("-s3.localSocket={}", within("s3.sock")))
        .arg(format!("-filer.localSocket={}", within("filer.sock")))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let err = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let (say, lines) = channel();
    // It ends with the process; nobody listens once it is ready.
    std::thread::spawn(move || {
        for line in err.lines().map_while(Result::ok) {
            let _ = say.send(line);
        }
    });
    (child, lines)
}

/// Asks whenever it says something, and a few times a second, until it is ready.
fn until_ready(lines: &Receiver<String>, ready: impl Fn() -> bool) {
    let mut said = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while !ready() {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => said.push(line),
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            Err(why) => {
                let from = said.len().saturating_sub(SHOWN);
                panic!("the S3 server is not ready ({why}):\n{}", said[from..].join("\n"));
            }
        }
    }
}

/// Ports that nobody listens on now.
fn free_ports() -> [u16; 9] {
    // All are held until the last is known, so that they differ.
    let held = [(); 9].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports"));
    held.map(|listener| listener.local_addr().expect("it has an address").port())
}

/// The status of a request without a body; nothing if nobody answers.
fn status(port: u16, method: &str, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: umbra\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    std::str::from_utf8(&answer).ok()?.split(' ').nth(1)?.parse().ok()
}
