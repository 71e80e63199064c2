//! How much anonymous memory this process takes, at most.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Between two looks.
const PACE: Duration = Duration::from_millis(5);

/// Anonymous memory of this process now: RssAnon of Linux; `None` elsewhere.
pub fn anonymous_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
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
