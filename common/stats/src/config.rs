//! What is to be computed, and how.

use crate::error::StatsError;

/// An attack: a rule that turns the signals of a target and its references into a score per record,
/// higher meaning more likely a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttackKind {
    /// The online likelihood-ratio attack (Carlini et al. 2022, arXiv 2112.03570).
    LiraOnline,
    /// The likelihood-ratio attack with OUT references only: how far the target's signal lies above them.
    LiraOffline,
    /// The robust membership-inference attack (Zarifzadeh et al. 2024, arXiv 2312.03262): the share of a
    /// population of non-members that the record's likelihood ratio beats. It needs population records.
    Rmia,
    /// The log of the label's probability under the target, less the log of its mean under the references.
    Base,
    /// The signal itself, one threshold for everybody: what an attacker without shadow models can do.
    Global,
}

impl AttackKind {
    /// Every attack, in the order of reports.
    pub const ALL: [AttackKind; 5] = [
        AttackKind::LiraOnline,
        AttackKind::LiraOffline,
        AttackKind::Rmia,
        AttackKind::Base,
        AttackKind::Global,
    ];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            AttackKind::LiraOnline => "lira-online",
            AttackKind::LiraOffline => "lira-offline",
            AttackKind::Rmia => "rmia",
            AttackKind::Base => "base",
            AttackKind::Global => "global",
        }
    }
}

impl std::fmt::Display for AttackKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for AttackKind {
    type Err = StatsError;

    fn from_str(name: &str) -> Result<Self, StatsError> {
        from_name(name, "attack", &Self::ALL, Self::name)
    }
}

/// How the likelihood-ratio attacks estimate the spread of a side's references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variance {
    /// Each record's own, divisor n.
    PerRecord,
    /// One for all records: the root of the summed squares over the summed counts.
    Pooled,
    /// Each record's own, shrunk towards a common one; the score is a ratio of predictive t densities
    /// (Smyth 2004, doi 10.2202/1544-6115.1027). Useful at every number of shadows.
    Shrunk,
    /// One standard deviation over all IN values of all records, about their grand mean, for both sides and
    /// without a floor: what the public implementation of Carlini et al. 2022 computes as its fixed
    /// variance. For replication.
    Reference,
}

impl Variance {
    /// Every estimate.
    pub const ALL: [Variance; 4] =
        [Variance::PerRecord, Variance::Pooled, Variance::Shrunk, Variance::Reference];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Variance::PerRecord => "per-record",
            Variance::Pooled => "pooled",
            Variance::Shrunk => "shrunk",
            Variance::Reference => "reference",
        }
    }
}

impl std::str::FromStr for Variance {
    type Err = StatsError;

    fn from_str(name: &str) -> Result<Self, StatsError> {
        from_name(name, "variance", &Self::ALL, Self::name)
    }
}

/// What stands for the middle of a side's references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Center {
    /// Their mean.
    Mean,
    /// Their median; of an even number the mean of the two in the middle. The spread stays that about the
    /// mean.
    Median,
}

impl Center {
    /// Every choice.
    pub const ALL: [Center; 2] = [Center::Mean, Center::Median];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Center::Mean => "mean",
            Center::Median => "median",
        }
    }
}

impl std::str::FromStr for Center {
    type Err = StatsError;

    fn from_str(name: &str) -> Result<Self, StatsError> {
        from_name(name, "center", &Self::ALL, Self::name)
    }
}

/// Which references are used. Leaving the target out makes its own side one reference short, and that
/// alone tells the sides apart unless the other side gives one up too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counts {
    /// The other side gives up the first shadow, in shadow order, of the target's own block.
    Equal,
    /// Both sides are cut to the same number, in shadow order.
    First,
    /// Every reference there is; biased against the truth when shadows are few.
    All,
}

impl Counts {
    /// Every rule.
    pub const ALL: [Counts; 3] = [Counts::Equal, Counts::First, Counts::All];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Counts::Equal => "equal",
            Counts::First => "first",
            Counts::All => "all",
        }
    }
}

impl std::str::FromStr for Counts {
    type Err = StatsError;

    fn from_str(name: &str) -> Result<Self, StatsError> {
        from_name(name, "counts", &Self::ALL, Self::name)
    }
}

fn from_name<T: Copy>(
    name: &str,
    what: &str,
    all: &[T],
    spell: impl Fn(T) -> &'static str,
) -> Result<T, StatsError> {
    all.iter().copied().find(|&item| spell(item) == name).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|&item| spell(item)).collect();
        StatsError::Config(format!("{what} '{name}' does not exist; choose among {}", known.join(", ")))
    })
}

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
    /// Whether `rmia` and `base` use OUT references only.
    pub offline: bool,
    /// How offline RMIA guesses the IN mean from the OUT one: p(x) = ((1 + a) mean_out + (1 - a)) / 2.
    pub rmia_a: f64,
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
            offline: false,
            rmia_a: 0.3,
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
    pub(crate) fn check(&self) -> Result<(), StatsError> {
        let Self { fdr, rmia_a, gamma, temperature, .. } = *self;
        within("fdr", fdr, "a rate between 0 and 1", fdr > 0.0 && fdr < 1.0)?;
        within("delta", self.delta, "a number from 0 to below 1", (0.0..1.0).contains(&self.delta))?;
        within("rmia_a", rmia_a, "a number from 0 to 1", (0.0..=1.0).contains(&rmia_a))?;
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
