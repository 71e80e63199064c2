//! Which statistics are computed.

use super::check::Violations;
use super::draft::StatisticsDraft;

/// A membership-inference attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attack {
    /// The online likelihood-ratio attack (Carlini et al. 2022, arXiv 2112.03570), leave-one-out.
    LiraOnline,
    /// The target's signal alone, one threshold for all records (Yeom et al. 2018, arXiv 1709.01604).
    Global,
}

impl Attack {
    const WORDS: [(&'static str, Self); 2] = [("lira-online", Self::LiraOnline), ("global", Self::Global)];

    /// The attack's name, as files and tables write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LiraOnline => "lira-online",
            Self::Global => "global",
        }
    }
}

/// How LiRA estimates the spread of a record's signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variance {
    /// From the record alone, IN and OUT apart.
    PerRecord,
    /// One spread a side for all records.
    Pooled,
    /// Between the two, by empirical Bayes (Smyth 2004, doi 10.2202/1544-6115.1027).
    Shrunk,
}

impl Variance {
    const WORDS: [(&'static str, Self); 3] =
        [("per-record", Self::PerRecord), ("pooled", Self::Pooled), ("shrunk", Self::Shrunk)];

    /// The name, as files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerRecord => "per-record",
            Self::Pooled => "pooled",
            Self::Shrunk => "shrunk",
        }
    }
}

/// Checked statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    attacks: Vec<Attack>,
    variance: Variance,
    fdr: f64,
}

impl Statistics {
    pub(super) fn check(draft: &StatisticsDraft, wrong: &mut Violations) -> Option<Self> {
        let attacks = match &draft.attacks {
            None => Some(vec![Attack::LiraOnline, Attack::Global]),
            Some(names) if names.is_empty() => {
                wrong.push("statistics.attacks", "the list is empty: name at least lira-online");
                None
            }
            Some(names) => attacks_of(names, wrong),
        };
        let variance = draft.variance.as_deref().unwrap_or("per-record");
        let variance = wrong.word("statistics.variance", variance, &Variance::WORDS);
        let fdr = wrong.within("statistics.fdr", draft.fdr.unwrap_or(0.05), 0.0001, 0.5);
        Some(Self { attacks: attacks?, variance: variance?, fdr: fdr? })
    }

    pub(super) fn to_draft(&self) -> StatisticsDraft {
        StatisticsDraft {
            attacks: Some(self.attacks.iter().map(|attack| attack.name().to_owned()).collect()),
            variance: Some(self.variance.name().to_owned()),
            fdr: Some(self.fdr),
        }
    }

    /// The attacks, in the order asked for.
    pub fn attacks(&self) -> &[Attack] {
        &self.attacks
    }

    /// How LiRA estimates spreads.
    pub fn variance(&self) -> Variance {
        self.variance
    }

    /// The false discovery rate of the patient test.
    pub fn fdr(&self) -> f64 {
        self.fdr
    }
}

/// The named attacks, if every name is known and none is named twice.
fn attacks_of(names: &[String], wrong: &mut Violations) -> Option<Vec<Attack>> {
    let mut attacks = Vec::new();
    let mut right = true;
    for name in names {
        match wrong.word("statistics.attacks", name, &Attack::WORDS) {
            Some(attack) if attacks.contains(&attack) => {
                wrong.push("statistics.attacks", format!("\"{name}\" is named twice"));
                right = false;
            }
            Some(attack) => attacks.push(attack),
            None => right = false,
        }
    }
    right.then_some(attacks)
}
