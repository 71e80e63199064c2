//! Records with their units in canonical order, and the sections of the encoded file that follow from them.

use umbra_core::shape::Targets;

use crate::labels::Labels;
use crate::layout::Rest;
use crate::mmap::stored;
use crate::records::{Records, Target};
use crate::table::Coded;
use crate::text::TextList;
use crate::units::{self, Attribute, Units, unit_digest};
use crate::{order, several};

/// Records with their units and their canonical order.
pub(crate) struct Arranged {
    pub records: Records,
    pub units: Units,
    /// By group.
    pub attributes: Vec<Attribute>,
    /// The row of every record of the encoded file.
    pub order: Vec<u32>,
}

/// The sections that follow from records alone, as bytes.
pub(crate) struct Sections {
    pub targets: Targets,
    /// Records of every class, or of every label those for which it holds.
    pub counts: Vec<u64>,
    pub record_units: Vec<u32>,
    /// Of classes the codes as bytes.
    pub labels: Vec<u8>,
    unit_names: Vec<u8>,
    unit_digests: Vec<u8>,
    attributes: Vec<u32>,
    source_rows: Vec<u64>,
}

impl Arranged {
    /// Names the units and sorts the records.
    pub(crate) fn of(records: Records) -> Self {
        let units = units::name_units(&records);
        let attributes = units::attributes(&records, &units);
        let order = order::canonical(&records, &units);
        Self { records, units, attributes, order }
    }

    /// The names of classes or labels.
    pub(crate) fn class_names(&self) -> &[String] {
        match &self.records.target {
            Target::Class(label) => &label.names,
            Target::Several { names, .. } => names,
        }
    }

    /// The sections, and what a person should look at.
    pub(crate) fn sections(&self, warnings: &mut Vec<String>) -> Sections {
        let (targets, labels, counts) = match &self.records.target {
            Target::Class(Coded { codes, names }) => {
                let codes = self.in_order(codes, 1);
                let counts = Labels::Class(&codes).counts(names.len());
                (Targets::Class, stored(&codes).to_vec(), counts)
            }
            Target::Several { names, labels } => {
                warnings.extend(several::warnings(names, labels));
                let labels = self.in_order(labels, names.len());
                let counts = Labels::Several { labels: &labels, count: names.len() }.counts(names.len());
                (Targets::Labels, labels, counts)
            }
        };
        let names = &self.units.names;
        for ((group, _), attribute) in self.records.groups.iter().zip(&self.attributes) {
            if attribute.varying > 0 {
                warnings.push(format!(
                    "group \"{group}\": {} of {} units have several values; each counts as what most of its records \
                     say, of equally many the first by name",
                    attribute.varying,
                    names.len()
                ));
            }
        }
        Sections {
            targets,
            counts,
            labels,
            record_units: self.in_order(&self.units.of_row, 1),
            unit_names: TextList::write(names.iter().map(String::as_str)),
            unit_digests: names.iter().flat_map(|name| *unit_digest(name).as_bytes()).collect(),
            attributes: self.attributes.iter().flat_map(|attribute| &attribute.values).copied().collect(),
            source_rows: self.order.iter().map(|&row| u64::from(row)).collect(),
        }
    }

    fn in_order<T: Copy>(&self, values: &[T], width: usize) -> Vec<T> {
        let rows = self.order.iter().flat_map(|&row| &values[row as usize * width..][..width]);
        rows.copied().collect()
    }
}

impl Sections {
    /// All sections after the values.
    pub(crate) fn rest<'a>(&'a self, description: &'a [u8]) -> Rest<'a> {
        Rest {
            labels: &self.labels,
            record_units: stored(&self.record_units),
            unit_names: &self.unit_names,
            unit_digests: &self.unit_digests,
            attributes: stored(&self.attributes),
            source_rows: stored(&self.source_rows),
            description,
        }
    }
}
