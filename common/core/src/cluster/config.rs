//! The scheduler's numbers.

/// Times and bounds of the scheduler. The default is what the daemons use unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterConfig {
    /// How long a lease lasts without a word from its worker, in milliseconds.
    pub lease_ms: u64,
    /// How often one pack may fail before its audit fails.
    pub max_attempts: u32,
    /// How often one pack may be lost with its worker before its audit fails.
    pub max_losses: u32,
    /// The wait after the first failure, in milliseconds; it doubles with each further one.
    pub backoff_ms: u64,
    /// The longest wait after a failure, in milliseconds.
    pub max_backoff_ms: u64,
    /// Over how long a pack's speed is measured at least, in milliseconds.
    pub pace_window_ms: u64,
    /// How often one pack is moved to a faster slot at most, in milliseconds between.
    pub move_every_ms: u64,
    /// How many failures in a row, of different packs, put a worker in quarantine; 0 for never.
    pub quarantine_after: u32,
    /// The first quarantine, in milliseconds; it doubles with each further one.
    pub quarantine_ms: u64,
    /// The longest quarantine, and how long failures are held against a worker, in milliseconds.
    pub max_quarantine_ms: u64,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            lease_ms: 30_000,
            max_attempts: 3,
            max_losses: 20,
            backoff_ms: 1_000,
            max_backoff_ms: 300_000,
            pace_window_ms: 30_000,
            move_every_ms: 3_600_000,
            quarantine_after: 3,
            quarantine_ms: 60_000,
            max_quarantine_ms: 3_600_000,
        }
    }
}

impl ClusterConfig {
    /// The wait before the next attempt after `attempts` failures (at least one), in milliseconds.
    pub fn backoff(&self, attempts: u32) -> u64 {
        doubled(self.backoff_ms, attempts.saturating_sub(1), self.max_backoff_ms)
    }

    /// The next quarantine of a worker that was in so many since its last success, in milliseconds.
    pub fn quarantine(&self, times: u32) -> u64 {
        doubled(self.quarantine_ms, times, self.max_quarantine_ms)
    }
}

fn doubled(first: u64, times: u32, most: u64) -> u64 {
    first.saturating_mul(1 << times.min(32)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound() {
        let config = ClusterConfig { backoff_ms: 1_000, max_backoff_ms: 5_000, ..ClusterConfig::default() };
        assert_eq!([1, 2, 3, 4, u32::MAX].map(|n| config.backoff(n)), [1_000, 2_000, 4_000, 5_000, 5_000]);
        // From a minute to an hour.
        let minutes = [0, 1, 5, 6, u32::MAX].map(|n| config.quarantine(n) / 60_000);
        assert_eq!(minutes, [1, 2, 32, 60, 60]);
    }
}
