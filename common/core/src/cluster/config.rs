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
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self { lease_ms: 30_000, max_attempts: 3, max_losses: 20, backoff_ms: 1_000, max_backoff_ms: 300_000 }
    }
}

impl ClusterConfig {
    /// The wait before the next attempt after `attempts` failures (at least one), in milliseconds.
    pub fn backoff(&self, attempts: u32) -> u64 {
        let doublings = attempts.saturating_sub(1).min(32);
        self.backoff_ms.saturating_mul(1 << doublings).min(self.max_backoff_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound() {
        let config = ClusterConfig { backoff_ms: 1_000, max_backoff_ms: 5_000, ..ClusterConfig::default() };
        assert_eq!([1, 2, 3, 4, u32::MAX].map(|n| config.backoff(n)), [1_000, 2_000, 4_000, 5_000, 5_000]);
    }
}
