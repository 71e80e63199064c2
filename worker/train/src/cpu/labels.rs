//! The labels of a batch.

use umbra_data::Labels;

/// The labels of a batch: classes, or several a record.
#[derive(Debug)]
pub struct BatchLabels {
    /// `[rows]`; empty where there are several.
    pub(super) classes: Vec<u32>,
    /// `[rows][count]`; empty where there are classes.
    pub(super) several: Vec<u8>,
}

impl BatchLabels {
    /// Room for those of `rows` records like `all`.
    pub(super) fn new(all: Labels<'_>, rows: usize) -> Self {
        match all {
            Labels::Class(_) => Self { classes: vec![0; rows], several: Vec::new() },
            Labels::Several { count, .. } => Self { classes: Vec::new(), several: vec![0; rows * count] },
        }
    }

    /// Takes those of records.
    pub(super) fn gather(&mut self, all: Labels<'_>, rows: &[u32]) {
        match all {
            Labels::Class(all) => {
                for (label, &row) in self.classes.iter_mut().zip(rows) {
                    *label = all[row as usize];
                }
            }
            Labels::Several { labels: all, count } => {
                for (labels, &row) in self.several.chunks_exact_mut(count).zip(rows) {
                    labels.copy_from_slice(&all[row as usize * count..][..count]);
                }
            }
        }
    }
}
