//! The smallest HTTP client there is, for health and metrics.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Far beyond what an answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The status and body of `GET path`.
///
/// # Panics
/// If nobody answers.
pub fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: umbra\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = asked().unwrap_or_else(|error| panic!("GET {path} of {address}: {error}"));
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    match (status, body) {
        (Some(status), Some(body)) => (status, body),
        _ => panic!("GET {path} of {address} is no HTTP: {answer}"),
    }
}

/// What a process measures, by name and labels as they are written: `umbra_packs{state="done"}`.
#[derive(Debug, Clone, Default)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads the metrics of the process at an address.
    ///
    /// # Panics
    /// If nobody answers.
    pub fn read(address: SocketAddr) -> Self {
        let (status, body) = get(address, "/metrics");
        assert_eq!(status, 200, "{body}");
        let lines = body.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(pairs.collect())
    }

    /// The buckets of a histogram without labels: upper bounds, and how many values lie at or below them.
    pub fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let begins = format!("{name}_bucket{{le=\"");
        let found = self.0.iter().filter_map(|(name, count)| {
            let bound = name.strip_prefix(&begins)?.strip_suffix("\"}")?;
            Some((if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? }, *count))
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found
    }

    /// The value of a metric that is there.
    ///
    /// # Panics
    /// If it is not.
    pub fn of(&self, name: &str) -> f64 {
        self.get(name).unwrap_or_else(|| panic!("no metric {name} in {:?}", self.0.keys()))
    }

    /// The value of a metric that may not be there.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }
}
