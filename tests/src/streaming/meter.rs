//! How much anonymous memory this process takes, at most.

use std::io;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Between two looks.
const PACE: Duration = Duration::from_millis(5);

/// Anonymous memory of this process now: RssAnon of Linux; `None` elsewhere.
pub fn anonymous_bytes() -> Option<u64> {
    anonymous_of("self")
}

fn anonymous_of(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Runs a command to its end and tells the most anonymous memory that was seen meanwhile.
///
/// # Errors
/// If it cannot be started, or does not end well.
pub fn ran_to_its_end(command: &mut Command) -> io::Result<u64> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
    let (process, mut most) = (child.id().to_string(), 0);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        most = most.max(anonymous_of(&process).unwrap_or(0));
        thread::park_timeout(PACE);
    };
    if status.success() { Ok(most) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}

/// Does `work` and tells the most anonymous memory that was seen meanwhile.
pub fn watched<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let (most, done) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(anonymous_bytes().unwrap_or(0), Ordering::Relaxed);
                thread::park_timeout(PACE);
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        (result, most.load(Ordering::Relaxed).max(anonymous_bytes().unwrap_or(0)))
    })
}
