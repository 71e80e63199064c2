//! From values to pixels.

/// One direction of a plot: values `low` to `high` lie at pixels `from` to `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Axis {
    pub fn linear((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        Self { low, high, from, to, log: false }
    }

    /// Both ends of the values are positive.
    pub fn log((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        Self { low, high, from, to, log: true }
    }

    /// The pixel of a value; what lies outside is drawn at the end.
    pub fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let share = if self.log {
            libm::log(value / self.low) / libm::log(self.high / self.low)
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share * (self.to - self.from)
    }
}

/// The largest power of ten that is at most `value`, within `least` and 0.1.
pub(super) fn decade_below(value: f64, least: f64) -> f64 {
    let mut decade = 0.1;
    while decade > value && decade > least * 1.5 {
        decade /= 10.0;
    }
    decade
}

/// 10^-1, 10^-2, ... down to `low`, after 1.
pub(super) fn decades(low: f64) -> impl Iterator<Item = f64> {
    (0..12).map(|k| libm::pow(10.0, -f64::from(k))).take_while(move |&decade| decade > low * 0.5)
}

/// Some four or five round steps that reach from 0 to `high` or a little beyond.
pub(super) fn round_steps(high: f64) -> (f64, usize) {
    let mut unit = 1e-6;
    while unit * 10.0 < high {
        unit *= 10.0;
    }
    let step = [0.2, 0.25, 0.5, 1.0, 2.0].into_iter().map(|m| m * unit).find(|step| step * 5.0 >= high);
    let step = step.unwrap_or(2.0 * unit);
    (step, libm::ceil(high / step - 1e-9).max(1.0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_where_they_should() {
        let axis = Axis::log((1e-4, 1.0), (0.0, 400.0));
        for (value, pixel) in [(1e-4, 0.0), (0.01, 200.0), (1.0, 400.0), (0.0, 0.0)] {
            assert!((axis.at(value) - pixel).abs() < 1e-9, "{value}");
        }
        assert_eq!(Axis::linear((0.0, 2.0), (100.0, 0.0)).at(0.5), 75.0);
    }

    #[test]
    fn ticks_are_round() {
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
        for (high, step, steps) in [(0.17, 0.05, 4), (1.0, 0.2, 5), (0.03, 0.01, 3), (0.0009, 0.0002, 5)] {
            let (found, count) = round_steps(high);
            assert!(near(found, step) && count == steps, "{high}: {found} x {count}");
        }
        assert!(near(decade_below(3.4e-6, 1e-5), 1e-5));
        assert!(near(decade_below(0.02, 1e-5), 0.01));
        assert_eq!(decades(1e-5).count(), 6);
    }
}
