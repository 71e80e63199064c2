//! What is to be computed, and how.

use crate::error::StatsError;

/// An attack: a rule that turns the signals of a target and its references into a score per record,
/// higher meaning more likely a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttackKind {
    /// The online likelihood-ratio attack (Carlini et al. 2022, arXiv 2112.03570).
    LiraOnline,
    /// The signal itself, one threshold for everybody: what an attacker without shadow models can do.
    Global,
}

impl AttackKind {
    /// Every attack, in the order of reports.
    pub const ALL: [AttackKind; 2] = [AttackKind::LiraOnline, AttackKind::Global];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            AttackKind::LiraOnline => "lira-online",
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
}

impl Variance {
    /// Every estimate.
    pub const ALL: [Variance; 3] = [Variance::PerRecord, Variance::Pooled, Variance::Shrunk];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Variance::PerRecord => "per-record",
            Variance::Pooled => "pooled",
            Variance::Shrunk => "shrunk",
        }
    }
}

impl std::str::FromStr for Variance {
    type Err = StatsError;

    fn from_str(name: &str) -> Result<Self, StatsError> {
        from_name(name, "variance", &Self::ALL, Self::name)
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
    /// Spread of the references.
    pub variance: Variance,
    /// Choice of the references.
    pub counts: Counts,
    /// False discovery rate at which a patient counts as detected, and error rate of the lower bounds.
    pub fdr: f64,
    /// Permutations of the group labels.
    pub permutations: usize,
    /// Records read at once; `None` chooses a tile of some four MiB. No figure depends on it.
    pub tile_records: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            attacks: AttackKind::ALL.to_vec(),
            variance: Variance::Shrunk,
            counts: Counts::Equal,
            fdr: 0.05,
            permutations: 9_999,
            tile_records: None,
        }
    }
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), StatsError> {
        if !(self.fdr > 0.0 && self.fdr < 1.0) {
            return Err(StatsError::Config(format!("fdr is {}; give a rate between 0 and 1", self.fdr)));
        }
        if self.permutations == 0 || self.permutations > 10_000_000 {
            return Err(StatsError::Config(format!(
                "permutations is {}; give a number from 1 to 10,000,000",
                self.permutations
            )));
        }
        if self.tile_records == Some(0) {
            return Err(StatsError::Config("tile_records is 0; give at least 1".into()));
        }
        for (i, attack) in self.attacks.iter().enumerate() {
            if self.attacks[..i].contains(attack) {
                return Err(StatsError::Config(format!("attack '{attack}' is listed twice; list it once")));
            }
        }
        Ok(())
    }
}
