//! A data set's labels as the statistics take them.

use umbra_stats::Labels;

/// The labels of all records.
pub(super) fn labels(dataset: &umbra_data::Dataset) -> Labels<'_> {
    match dataset.labels() {
        umbra_data::Labels::Class(classes) => Labels::Class(classes),
        umbra_data::Labels::Several { labels, .. } => Labels::Multi(labels),
    }
}

/// The labels of some records.
pub(super) enum Picked {
    Class(Vec<u32>),
    Several(Vec<u8>),
}

impl Picked {
    /// Those of `rows`.
    pub(super) fn of(dataset: &umbra_data::Dataset, rows: &[u32]) -> Self {
        match dataset.labels() {
            umbra_data::Labels::Class(classes) => {
                Self::Class(rows.iter().map(|&row| classes[row as usize]).collect())
            }
            umbra_data::Labels::Several { labels, count } => {
                let of = |&row: &u32| &labels[row as usize * count..][..count];
                Self::Several(rows.iter().flat_map(of).copied().collect())
            }
        }
    }

    /// As the statistics take them.
    pub(super) fn view(&self) -> Labels<'_> {
        match self {
            Self::Class(classes) => Labels::Class(classes),
            Self::Several(labels) => Labels::Multi(labels),
        }
    }
}
