//! Time that a thread was at work, whatever its neighbours on the machine did.

/// Seconds this thread has spent on a processor, as far as the system tells: Linux's schedstat, whose first
/// number is in nanoseconds.
pub fn on_processor() -> Option<f64> {
    // Being put to the back of the queue brings the count up to date.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(|nanoseconds: f64| nanoseconds / 1e9)
}
