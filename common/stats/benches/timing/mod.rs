//! Seconds of the processor, where the system counts them: neighbours on the machine show less in them.
#![allow(dead_code, reason = "every bench has a copy and uses a part")]

use std::hint::black_box;
use std::time::Instant;

/// Seconds that `work` takes on this thread.
pub fn seconds<T>(work: impl FnOnce() -> T) -> f64 {
    let begin = (on_processor(), Instant::now());
    black_box(work());
    match (begin.0, on_processor()) {
        (Some(begin), Some(end)) => end - begin,
        _ => begin.1.elapsed().as_secs_f64(),
    }
}

/// Seconds this thread has spent on a processor, as far as the system tells: Linux's schedstat, whose first
/// number is in nanoseconds.
pub fn on_processor() -> Option<f64> {
    // Being put to the back of the queue brings the count up to date.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(|nanoseconds: f64| nanoseconds / 1e9)
}
