//! Time as a thing that is handed in, so that tests and simulations have their own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use umbra_core::ids::Millis;

/// A clock.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since some moment of this clock; never goes back. For leases and waits.
    fn now(&self) -> Millis;

    /// Milliseconds since 1970-01-01 UTC, which may jump. For people only.
    fn unix_ms(&self) -> u64;
}

/// The machine's clocks. Where tokio's time is paused, as in a simulation, it follows that.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        Millis(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn unix_ms(&self) -> u64 {
        // A clock set before 1970 shows as 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that moves when it is told to.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicU64,
    unix_start: u64,
}

impl ManualClock {
    /// A clock at 0 whose wall time is `unix_ms`.
    pub fn new(unix_ms: u64) -> Self {
        Self { now: AtomicU64::new(0), unix_start: unix_ms }
    }

    /// Moves the clock on.
    pub fn advance(&self, milliseconds: u64) {
        self.now.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.now.load(Ordering::SeqCst))
    }

    fn unix_ms(&self) -> u64 {
        self.unix_start.saturating_add(self.now().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(1_000);
        assert_eq!((clock.now(), clock.unix_ms()), (Millis(0), 1_000));
        clock.advance(5);
        assert_eq!((clock.now(), clock.unix_ms()), (Millis(5), 1_005));
    }

    #[test]
    fn the_system_clock_starts_near_zero_and_never_goes_back() {
        let clock = SystemClock::new();
        let first = clock.now();
        assert!(first < Millis(60_000) && clock.now() >= first);
        // 2020-01-01: the wall clock counts from 1970.
        assert!(clock.unix_ms() > 1_577_836_800_000);
    }
}
