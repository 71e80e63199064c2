//! Ratios of risks: a group's share over that of all other patients.

use super::findings::Ratio;
use crate::bounds::Z;

const ABSENT: Ratio = Ratio { value: f64::NAN, low: f64::NAN, high: f64::NAN };

/// A ratio with its interval, symmetric on the scale of logarithms.
fn ratio(value: f64, variance_of_log: f64) -> Ratio {
    let factor = libm::exp(Z * variance_of_log.sqrt());
    Ratio { value, low: value / factor, high: value * factor }
}

/// The ratio of (events, patients) of a group over those of the rest, with the log interval (Katz, Baptista,
/// Azen and Pike 1978, doi 10.2307/2530610). If a cell of the two-by-two table is empty, each gets half a
/// patient; without any event, or without a rest, there is nothing to compare.
pub(super) fn risk_ratio(group: (u32, u32), rest: (u32, u32)) -> Ratio {
    if group.1 == 0 || rest.1 == 0 || group.0 + rest.0 == 0 {
        return ABSENT;
    }
    let empty = [group.0, group.1 - group.0, rest.0, rest.1 - rest.0].contains(&0);
    let half = if empty { 0.5 } else { 0.0 };
    let counts = |(events, n): (u32, u32)| (f64::from(events) + half, f64::from(n) + 2.0 * half);
    let ((a, n1), (b, n0)) = (counts(group), counts(rest));
    ratio((a / n1) / (b / n0), 1.0 / a - 1.0 / n1 + 1.0 / b - 1.0 / n0)
}

/// The ratio within strata (Mantel and Haenszel; interval by Greenland and Robins 1985,
/// doi 10.2307/2530643).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MatchedRatio {
    group: f64,
    rest: f64,
    /// Numerator of the variance.
    spread: f64,
}

impl MatchedRatio {
    /// Takes one stratum's (events, patients), in the group and in all.
    pub fn add(&mut self, group: (u32, u32), all: (u32, u32)) {
        let (a, n1) = (f64::from(group.0), f64::from(group.1));
        let (m, n) = (f64::from(all.0), f64::from(all.1));
        let (b, n0) = (m - a, n - n1);
        self.group += a * n0 / n;
        self.rest += b * n1 / n;
        self.spread += (m * n1 * n0 - a * b * n) / (n * n);
    }

    pub fn finish(&self) -> Ratio {
        if self.group == 0.0 || self.rest == 0.0 {
            return ABSENT;
        }
        ratio(self.group / self.rest, self.spread / (self.group * self.rest))
    }
}
