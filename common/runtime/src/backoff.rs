//! Waiting longer after each failure, with full jitter so that a crowd does not come back at once
//! (Brooker 2015, "Exponential Backoff And Jitter").

use std::time::Duration;

use umbra_core::seed::{Purpose, Seed, Stream};

/// The bounds of an exponential backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first_ms: u64,
    most_ms: u64,
}

/// Bounds that make no backoff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a backoff from {first:?} to at most {most:?} is not possible: give 1 ms <= first <= most <= 1 day")]
pub struct InvalidBackoff {
    first: Duration,
    most: Duration,
}

impl Backoff {
    /// The n-th wait (n from 0) is uniform over 1 ms to `min(most, first * 2^n)`.
    ///
    /// # Errors
    /// [`InvalidBackoff`] unless `1 ms <= first <= most <= 1 day`.
    pub fn try_new(first: Duration, most: Duration) -> Result<Self, InvalidBackoff> {
        let day = Duration::from_secs(86_400);
        if first < Duration::from_millis(1) || first > most || most > day {
            return Err(InvalidBackoff { first, most });
        }
        // At most a day, so both fit.
        Ok(Self { first_ms: first.as_millis() as u64, most_ms: most.as_millis() as u64 })
    }

    /// Starts a row of waits that draws its jitter from `stream`.
    pub fn start(self, stream: Stream) -> Waits {
        Waits { backoff: self, failures: 0, stream }
    }

    fn ceiling_ms(&self, failures: u32) -> u64 {
        let factor = 1u64.checked_shl(failures).unwrap_or(u64::MAX);
        self.first_ms.saturating_mul(factor).min(self.most_ms)
    }
}

/// The waits between attempts.
#[derive(Clone)]
pub struct Waits {
    backoff: Backoff,
    failures: u32,
    stream: Stream,
}

impl Waits {
    /// How long to wait after one more failure.
    pub fn after_failure(&mut self) -> Duration {
        let ceiling = self.backoff.ceiling_ms(self.failures);
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(1 + self.stream.below(ceiling))
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How many failures there were since the start or the last reset.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// A stream that no other process shares, for daemons; simulations pass one of their own seed.
///
/// # Errors
/// If the system has no source of random numbers.
pub fn entropy() -> Result<Stream, getrandom::Error> {
    Ok(Seed::new(getrandom::u64()?).stream(Purpose::Simulation, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn bounds_are_proven() {
        assert!(Backoff::try_new(ms(1), ms(1)).is_ok());
        for (first, most) in [(ms(0), ms(5)), (ms(6), ms(5)), (ms(5), Duration::from_secs(86_401))] {
            assert!(Backoff::try_new(first, most).is_err(), "{first:?} {most:?}");
        }
    }

    #[test]
    fn waits_double_up_to_the_bound_and_replay() {
        let backoff = Backoff::try_new(ms(100), ms(1_000)).unwrap();
        let row = |seed| {
            let mut waits = backoff.start(Seed::new(seed).stream(Purpose::Simulation, &[]));
            (0..200).map(|_| waits.after_failure()).collect::<Vec<_>>()
        };
        let waits = row(1);
        assert_eq!(waits, row(1));
        assert_ne!(waits, row(2));
        let ceilings = [100, 200, 400, 800].into_iter().chain(std::iter::repeat(1_000));
        for (wait, ceiling) in waits.iter().zip(ceilings) {
            assert!((ms(1)..=ms(ceiling)).contains(wait), "{wait:?} against {ceiling}");
        }
        // Full jitter: the mean of 196 draws over 1..=1000 lies within five standard errors of 500.5.
        let mean = waits[4..].iter().map(|w| w.as_millis() as f64).sum::<f64>() / 196.0;
        assert!((mean - 500.5).abs() < 103.0, "{mean}");
    }

    #[test]
    fn a_success_starts_over() {
        let backoff = Backoff::try_new(ms(1), Duration::from_secs(60)).unwrap();
        let mut waits = backoff.start(Seed::new(1).stream(Purpose::Simulation, &[]));
        for _ in 0..40 {
            waits.after_failure();
        }
        waits.reset();
        assert_eq!(waits.after_failure(), ms(1));
        assert_eq!(waits.failures(), 1);
    }
}
