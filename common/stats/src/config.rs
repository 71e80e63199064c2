//! What is to be computed, and how.

pub use umbra_core::spec::{Attack as AttackKind, Center, Counts, Variance};

use crate::error::StatsError;

/// What to compute.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The attacks, each at most once.
    pub attacks: Vec<AttackKind>,
    /// Middle of the references of the likelihood-ratio attacks.
    pub center: Center,
    /// Spread of the references of the likelihood-ratio attacks.
    pub variance: Variance,
    /// Choice of the references of the likelihood-ratio attacks.
    pub counts: Counts,
    /// Whether online LiRA takes a record's queries as one vector with a full covariance, in place of the
    /// mean over queries of their single ratios.
    pub multivariate: bool,
    /// Whether `base` uses OUT references only.
    pub base_offline: bool,
    /// Whether `rmia` uses OUT references only: then the a by which it guesses the IN mean from the OUT one,
    /// p(x) = ((1 + a) mean_out + (1 - a)) / 2.
    pub rmia_a: Option<f64>,
    /// RMIA: how many times the population record's likelihood ratio the record's must be, strictly.
    pub gamma: f64,
    /// Temperature of the softmax of `base`.
    pub temperature: f64,
    /// False discovery rate at which a patient counts as detected, and error rate of the lower bounds.
    pub fdr: f64,
    /// Planned looks at the growing audit; every p value is multiplied by their number.
    pub looks: u32,
    /// The delta of the (epsilon, delta) that every patient's signals are held against.
    pub delta: f64,
    /// Permutations of the group labels.
    pub permutations: usize,
    /// Pairs of attributes, by name, whose crossed levels are compared as well.
    pub intersections: Vec<(String, String)>,
    /// Replicates of the two-way bootstrap over patients and blocks; 0 for no intervals.
    pub bootstrap: usize,
    /// Whether every attack's scores are also calibrated record by record before they are pooled.
    pub calibrated: bool,
    /// Records read at once; `None` chooses a tile of some four MiB. No figure depends on it.
    pub tile_records: Option<usize>,
}

impl Default for Config {
    /// The attacks that need no population; the rest as the fields say.
    fn default() -> Self {
        Self {
            attacks: vec![AttackKind::LiraOnline, AttackKind::Global],
            center: Center::Mean,
            variance: Variance::Shrunk,
            counts: Counts::Equal,
            multivariate: false,
            base_offline: false,
            rmia_a: None,
            gamma: 1.0,
            temperature: 2.0,
            fdr: 0.05,
            looks: 1,
            delta: 1e-5,
            permutations: 9_999,
            intersections: Vec::new(),
            bootstrap: 400,
            calibrated: true,
            tile_records: None,
        }
    }
}

/// A setting and the range it must be in.
fn within(name: &str, value: f64, range: &str, fits: bool) -> Result<(), StatsError> {
    if fits { Ok(()) } else { Err(StatsError::Config(format!("{name} is {value}; give {range}"))) }
}

impl Config {
    /// The a of offline `rmia` unless another is chosen.
    pub const RMIA_A: f64 = 0.3;

    pub(crate) fn check(&self) -> Result<(), StatsError> {
        let Self { fdr, rmia_a, gamma, temperature, .. } = *self;
        within("fdr", fdr, "a rate between 0 and 1", fdr > 0.0 && fdr < 1.0)?;
        within("delta", self.delta, "a number from 0 to below 1", (0.0..1.0).contains(&self.delta))?;
        if let Some(a) = rmia_a {
            within("rmia_a", a, "a number from 0 to 1", (0.0..=1.0).contains(&a))?;
        }
        within("gamma", gamma, "a positive number", gamma > 0.0 && gamma.is_finite())?;
        within(
            "temperature",
            temperature,
            "a positive number",
            temperature > 0.0 && temperature.is_finite(),
        )?;
        within("looks", f64::from(self.looks), "a number from 1 to 1,000", (1..=1000).contains(&self.looks))?;
        let permutations = self.permutations;
        let fits = (1..=10_000_000).contains(&permutations);
        within("permutations", permutations as f64, "a number from 1 to 10,000,000", fits)?;
        let fits = self.bootstrap <= 100_000;
        within("bootstrap", self.bootstrap as f64, "at most 100,000 replicates", fits)?;
        within("tile_records", 0.0, "at least 1", self.tile_records != Some(0))?;
        for (i, attack) in self.attacks.iter().enumerate() {
            if self.attacks[..i].contains(attack) {
                return Err(StatsError::Config(format!("attack '{attack}' is listed twice; list it once")));
            }
        }
        Ok(())
    }
}
