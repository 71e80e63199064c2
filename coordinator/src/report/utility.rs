//! The shadows' task metrics, averaged.

use umbra_stats::{ShadowUtility, Utility};

/// Mean and standard deviation (divisor n - 1) of what is there; NaN where too little is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub mean: f64,
    pub sd: f64,
}

impl Spread {
    /// Leaves NaN out.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let there = values.filter(|value| !value.is_nan());
        let (sum, count) = there.clone().fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
        let mean = sum / count as f64;
        let squares: f64 = there.map(|value| (value - mean) * (value - mean)).sum();
        let sd = if count > 1 { (squares / (count - 1) as f64).sqrt() } else { f64::NAN };
        Self { mean, sd }
    }
}

/// One side's metrics over the shadows that gave signals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub records: Spread,
    pub accuracy: Spread,
    pub log_loss: Spread,
    pub auc: Spread,
}

impl Side {
    fn of(sides: impl Iterator<Item = Utility> + Clone) -> Self {
        let there = sides.filter(|side| side.records > 0);
        Self {
            records: Spread::of(there.clone().map(|side| side.records as f64)),
            accuracy: Spread::of(there.clone().map(|side| side.accuracy)),
            log_loss: Spread::of(there.clone().map(|side| side.log_loss)),
            auc: Spread::of(there.map(|side| side.auc)),
        }
    }
}

/// The metrics (inside, outside).
pub(super) fn sides(shadows: &[ShadowUtility]) -> (Side, Side) {
    (
        Side::of(shadows.iter().map(|shadow| shadow.inside)),
        Side::of(shadows.iter().map(|shadow| shadow.outside)),
    )
}
