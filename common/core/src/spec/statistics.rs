//! Which statistics are computed.

use super::check::Violations;
use super::choices::{Attack, Center, Counts, Variance};
use super::draft::StatisticsDraft;

/// Checked statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    attacks: Vec<Attack>,
    variance: Variance,
    center: Center,
    counts: Counts,
    offline: bool,
    temperature: f64,
    fdr: f64,
    looks: u32,
    bootstrap: u32,
    delta: f64,
    intersections: Vec<(String, String)>,
}

impl Statistics {
    /// The most pairs of attributes whose crossed groups are compared.
    pub const MAX_INTERSECTIONS: usize = 64;
    /// The most looks at a growing audit.
    pub const MAX_LOOKS: u32 = 1000;
    /// The most replicates of the bootstrap.
    pub const MAX_BOOTSTRAP: u32 = 100_000;
    /// The longest name of an attribute, in bytes.
    const MAX_NAME: usize = 1024;

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
        let variance =
            wrong.word("statistics.variance", variance, &Variance::ALL.map(|choice| (choice.name(), choice)));
        let center = draft.center.as_deref().unwrap_or("mean");
        let center =
            wrong.word("statistics.center", center, &Center::ALL.map(|choice| (choice.name(), choice)));
        let counts = draft.counts.as_deref().unwrap_or("equal");
        let counts =
            wrong.word("statistics.counts", counts, &Counts::ALL.map(|choice| (choice.name(), choice)));
        let temperature = draft.temperature.unwrap_or(2.0);
        let temperature = wrong.within("statistics.temperature", temperature, 0.001, 1000.0);
        let fdr = wrong.within("statistics.fdr", draft.fdr.unwrap_or(0.05), 0.0001, 0.5);
        let looks = wrong.within("statistics.looks", draft.looks.unwrap_or(1), 1, Self::MAX_LOOKS);
        let bootstrap = draft.bootstrap.unwrap_or(400);
        let bootstrap = wrong.within("statistics.bootstrap", bootstrap, 0, Self::MAX_BOOTSTRAP);
        let delta = wrong.within("statistics.delta", draft.delta.unwrap_or(1e-5), 0.0, 0.5);
        let intersections = intersections(draft.intersections.as_deref().unwrap_or_default(), wrong);
        Some(Self {
            attacks: attacks?,
            variance: variance?,
            center: center?,
            counts: counts?,
            offline: draft.offline.unwrap_or(false),
            temperature: temperature?,
            fdr: fdr?,
            looks: looks?,
            bootstrap: bootstrap?,
            delta: delta?,
            intersections: intersections?,
        })
    }

    pub(super) fn to_draft(&self) -> StatisticsDraft {
        let pairs = self.intersections.iter().map(|(a, b)| vec![a.clone(), b.clone()]);
        StatisticsDraft {
            attacks: Some(self.attacks.iter().map(|attack| attack.name().to_owned()).collect()),
            variance: Some(self.variance.name().to_owned()),
            center: Some(self.center.name().to_owned()),
            counts: Some(self.counts.name().to_owned()),
            offline: Some(self.offline),
            temperature: Some(self.temperature),
            fdr: Some(self.fdr),
            looks: Some(self.looks),
            bootstrap: Some(self.bootstrap),
            delta: Some(self.delta),
            intersections: Some(pairs.collect()),
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

    /// What LiRA takes for the middle.
    pub fn center(&self) -> Center {
        self.center
    }

    /// Which references LiRA uses.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether the base attack uses OUT references only.
    pub fn offline(&self) -> bool {
        self.offline
    }

    /// The temperature of the base attack's softmax.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// The false discovery rate of the patient test.
    pub fn fdr(&self) -> f64 {
        self.fdr
    }

    /// Planned looks at the growing audit, by which every p value is multiplied.
    pub fn looks(&self) -> u32 {
        self.looks
    }

    /// Replicates of the bootstrap behind the intervals; 0 for none.
    pub fn bootstrap(&self) -> u32 {
        self.bootstrap
    }

    /// The delta of the (epsilon, delta) that every patient's lower bound of epsilon speaks of.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// Pairs of attributes whose crossed groups are compared as well.
    pub fn intersections(&self) -> &[(String, String)] {
        &self.intersections
    }
}

/// The named attacks, if every name is known and none is named twice.
fn attacks_of(names: &[String], wrong: &mut Violations) -> Option<Vec<Attack>> {
    let usable: Vec<_> = Attack::ALL.into_iter().map(|attack| (attack.name(), attack)).collect();
    let mut attacks = Vec::new();
    let mut right = true;
    for name in names {
        match wrong.word("statistics.attacks", name, &usable) {
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

/// The pairs, if each is of two different names and none comes twice. Whether there are such attributes
/// only the data set knows.
fn intersections(lists: &[Vec<String>], wrong: &mut Violations) -> Option<Vec<(String, String)>> {
    const FIELD: &str = "statistics.intersections";
    if lists.len() > Statistics::MAX_INTERSECTIONS {
        let message =
            format!("{} pairs are too many: give at most {}", lists.len(), Statistics::MAX_INTERSECTIONS);
        wrong.push(FIELD, message);
        return None;
    }
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut right = true;
    for (index, list) in lists.iter().enumerate() {
        let complaint = match list.as_slice() {
            [a, b] if a == b => Some("crosses an attribute with itself: name two different ones"),
            [a, b] if [a, b].iter().any(|name| name.is_empty() || name.len() > Statistics::MAX_NAME) => {
                Some("has an empty or overlong name: name two attributes of the schema's groups")
            }
            [a, b] if pairs.iter().any(|(c, d)| (a, b) == (c, d) || (a, b) == (d, c)) => {
                Some("comes twice: name it once")
            }
            [a, b] => {
                pairs.push((a.clone(), b.clone()));
                None
            }
            _ => Some("is no pair: name two attributes, as in [\"sex\", \"race\"]"),
        };
        if let Some(complaint) = complaint {
            wrong.push(FIELD, format!("entry {index} {complaint}"));
            right = false;
        }
    }
    right.then_some(pairs)
}
