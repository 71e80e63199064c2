//! What is found about groups: plain data, ready for tables and reports. Absent numbers are NaN.

/// The groups of one attribute, or of two attributes crossed.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeResult {
    /// The attribute; of an intersection "a x b".
    pub name: String,
    /// The two attributes of an intersection.
    pub crossed: Option<[String; 2]>,
    /// Whether the share detected depends on this attribute.
    pub detected: Omnibus,
    /// Whether the share recognisable depends on it.
    pub recognisable: Omnibus,
    /// Whether who is among the most exposed depends on it.
    pub top: Omnibus,
    /// Its groups: levels in order, then what is missing, then what was merged.
    pub groups: Vec<GroupResult>,
}

/// Permutation p value of "what happens to a patient does not depend on the attribute, among patients with
/// equally many records".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Omnibus {
    /// For this attribute alone.
    pub p: f64,
    /// Adjusted over all attributes and intersections.
    pub p_adjusted: f64,
}

/// One group of tested patients.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupResult {
    /// The level, "missing", or "other" for merged small groups.
    pub name: String,
    /// Names of the levels in it.
    pub levels: Vec<String>,
    /// Patients.
    pub patients: usize,
    /// Those detected.
    pub detected: GroupRisk,
    /// Those recognisable at the lowest level of [`crate::RECOGNISABLE`].
    pub recognisable: GroupRisk,
    /// Those among the share [`crate::TOP_SHARE`] of all patients with the highest AUC.
    pub top: Composition,
}

/// How often something holds in a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupRisk {
    /// Patients of whom it holds.
    pub count: usize,
    /// Their share of the group.
    pub share: Share,
    /// That share over the share of all other patients, as they are; half a patient is added to every
    /// cell of the two-by-two table if one is empty. Absent if there are no others, or it holds of nobody.
    pub risk_ratio: Ratio,
    /// The same among patients with equally many records (Mantel and Haenszel); absent if it holds of
    /// nobody in the group, or of nobody else, who can be so compared.
    pub matched_risk_ratio: Ratio,
    /// Permutation p value, adjusted over the groups of all attributes and intersections (max-T), not below
    /// the attribute's own omnibus p value.
    pub p_adjusted: f64,
}

/// A share with its Wilson 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// The share.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A ratio of two shares with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The ratio.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// How many of the most exposed patients belong to a group. Patients tied at the cut count by the same
/// fraction each, so that the groups' counts sum to exactly the share of all patients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Composition {
    /// Patients among the most exposed.
    pub patients: f64,
    /// How many there would be by the group's share of all patients.
    pub expected: f64,
    /// Pearson residual, (patients - expected) / sqrt(expected).
    pub residual: f64,
    /// How many there would be by the group's share of the patients with equally many records.
    pub matched_expected: f64,
    /// (patients - `matched_expected`) in standard deviations under permutation; 0 if nothing can vary.
    pub deviate: f64,
    /// Permutation p value of `deviate`, adjusted as [`GroupRisk::p_adjusted`]; it holds at any expected
    /// count.
    pub p_adjusted: f64,
}
