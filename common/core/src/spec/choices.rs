//! What the statistics are chosen from: attacks, and how they estimate. Audit files, the command line, the
//! attacks themselves and their tables all speak of these by one word each.

/// A word that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} '{word}' does not exist; choose among {known}")]
pub struct UnknownWord {
    /// What was to be named, such as "attack".
    what: &'static str,
    word: String,
    known: String,
}

/// Gives every value of an enumeration its word.
macro_rules! words {
    ($what:literal, $type:ident { $($value:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in the order of reports.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$value),+];

            /// The name in files, in tables and on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $word),+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                Self::ALL.into_iter().find(|value| value.name() == word).ok_or_else(|| UnknownWord {
                    what: $what,
                    word: word.to_owned(),
                    known: [$($word),+].join(", "),
                })
            }
        }
    };
}

/// A membership-inference attack: a rule that turns the signals of a target and its references into a score
/// per record, higher meaning more likely a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attack {
    /// The online likelihood-ratio attack (Carlini et al. 2022, arXiv 2112.03570), leave-one-out.
    LiraOnline,
    /// The likelihood-ratio attack with OUT references only: how far the target's signal lies above them.
    LiraOffline,
    /// The robust membership-inference attack (Zarifzadeh et al. 2024, arXiv 2312.03262): the share of a
    /// population of non-members that the record's likelihood ratio beats. It needs population records.
    Rmia,
    /// The log of the label's probability under the target, less the log of its mean under the references.
    Base,
    /// The signal itself, one threshold for everybody (Yeom et al. 2018, arXiv 1709.01604): what an attacker
    /// without shadow models can do.
    Global,
}

words!("attack", Attack {
    LiraOnline = "lira-online",
    LiraOffline = "lira-offline",
    Rmia = "rmia",
    Base = "base",
    Global = "global",
});

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

words!("variance", Variance {
    PerRecord = "per-record",
    Pooled = "pooled",
    Shrunk = "shrunk",
    Reference = "reference",
});

/// What stands for the middle of a side's references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Center {
    /// Their mean.
    Mean,
    /// Their median; of an even number the mean of the two in the middle. The spread stays that about the
    /// mean.
    Median,
}

words!("center", Center { Mean = "mean", Median = "median" });

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

words!("counts", Counts { Equal = "equal", First = "first", All = "all" });
