//! What records, units and labels are called.

use std::borrow::Cow;
use std::fmt::Debug;

use umbra_stats::Labels;

/// Names of things that are counted from 0.
pub trait Names: Debug + Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// What one of them is called.
    fn name(&self, index: usize) -> Cow<'_, str>;
}

impl Names for &[String] {
    fn count(&self) -> usize {
        self.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        (&*self[index]).into()
    }
}

impl Names for Vec<String> {
    fn count(&self) -> usize {
        self.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        (&*self[index]).into()
    }
}

/// Things that are called by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered(pub usize);

impl Names for Numbered {
    fn count(&self) -> usize {
        self.0
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        index.to_string().into()
    }
}

/// The units of a data set.
#[derive(Clone, Copy)]
pub struct DatasetUnits<'a>(pub &'a umbra_data::Dataset);

impl Names for DatasetUnits<'_> {
    fn count(&self) -> usize {
        self.0.unit_names().len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        self.0.unit_name(index as u32).into()
    }
}

impl Debug for DatasetUnits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "units of {}", self.0.digest().short())
    }
}

/// The rows of the source that records come from.
#[derive(Debug, Clone, Copy)]
pub enum SourceRows<'a> {
    /// One a record.
    Given(&'a [u64]),
    /// Records are in the order of the source; so many.
    InOrder(usize),
}

impl SourceRows<'_> {
    /// How many records there are.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Given(rows) => rows.len(),
            Self::InOrder(count) => *count,
        }
    }

    /// The row of a record, from 0.
    pub(super) fn of(&self, record: usize) -> u64 {
        match self {
            Self::Given(rows) => rows[record],
            Self::InOrder(_) => record as u64,
        }
    }
}

/// The labels of records in words.
#[derive(Debug, Clone, Copy)]
pub enum LabelNames<'a> {
    /// One class a record, of these.
    Classes(&'a dyn Names),
    /// Several labels a record, `[record][label]`, so many each: written `1,0,-` with `-` for not known.
    Several(&'a [u8], usize),
}

impl<'a> LabelNames<'a> {
    /// The label of a record; `class` is its class where there is one.
    pub(super) fn of(&self, record: usize, class: u32) -> Cow<'a, str> {
        match *self {
            Self::Classes(names) => names.name(class as usize),
            Self::Several(labels, each) => {
                let mut text = String::with_capacity(2 * each);
                for &label in &labels[record * each..(record + 1) * each] {
                    if !text.is_empty() {
                        text.push(',');
                    }
                    text.push(match label {
                        Labels::MISSING => '-',
                        0 => '0',
                        _ => '1',
                    });
                }
                text.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_labels_are_one_text() {
        let labels = [1, 0, 255, 0, 0, 1];
        let names = LabelNames::Several(&labels, 3);
        assert_eq!([names.of(0, 1), names.of(1, 1)], ["1,0,-", "0,0,1"]);
        assert_eq!(LabelNames::Classes(&Numbered(3)).of(7, 2), "2");
    }
}
