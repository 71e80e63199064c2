//! The labels of records.

/// A label that is not known, of several.
pub const UNKNOWN: u8 = 255;

/// The labels of all records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels<'a> {
    /// One class a record, below the number of classes.
    Class(&'a [u32]),
    /// Several labels a record: 1 holds, 0 does not, [`UNKNOWN`] is not known.
    Several {
        /// `[records][count]`.
        labels: &'a [u8],
        /// Labels a record.
        count: usize,
    },
}

impl<'a> Labels<'a> {
    /// How many records there are.
    pub fn records(&self) -> usize {
        match self {
            Self::Class(classes) => classes.len(),
            Self::Several { labels, count } => labels.len() / (*count).max(1),
        }
    }

    /// The class of every record; `None` where records have several labels.
    pub fn classes(&self) -> Option<&'a [u32]> {
        match self {
            Self::Class(classes) => Some(classes),
            Self::Several { .. } => None,
        }
    }

    /// Records of every class, or of every label those for which it holds.
    pub fn counts(&self, classes: usize) -> Vec<u64> {
        let mut counts = vec![0; classes];
        match self {
            Self::Class(labels) => labels.iter().for_each(|&label| counts[label as usize] += 1),
            Self::Several { labels, count } => {
                for record in labels.chunks_exact((*count).max(1)) {
                    let holds = counts.iter_mut().zip(record).filter(|(_, label)| **label == 1);
                    holds.for_each(|(count, _)| *count += 1);
                }
            }
        }
        counts
    }
}
