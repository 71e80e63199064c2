//! The labels of all records.

use std::path::Path;

use umbra_data::npy::NpyFile;
use umbra_runtime::Mapped;
use umbra_stats::{Labels, Shape};

use super::unread::Unread;

/// Labels in scratch files.
#[derive(Debug)]
pub enum OwnedLabels {
    /// A class a record.
    Class(Mapped<u32>),
    /// Several labels a record, `[record][label]`.
    Multi(Mapped<u8>),
}

impl OwnedLabels {
    /// Reads labels whose shape fits `shape`: of one axis, a class a record; of two, several labels.
    ///
    /// # Errors
    /// If the file cannot be read, a label does not exist, or there is no room in the folder.
    pub fn read(file: &NpyFile, shape: &Shape, folder: &Path) -> Result<Self, Unread> {
        if file.shape().len() == 1 {
            Self::classes(file, shape, folder)
        } else {
            Self::several(file, shape, folder)
        }
    }

    fn classes(file: &NpyFile, shape: &Shape, folder: &Path) -> Result<Self, Unread> {
        let known = shape.classes.max(2);
        let mut labels = Mapped::<u32>::zeroes(folder, "labels", shape.records)?;
        file.for_each_integer(|record, label| match u32::try_from(label) {
            Ok(label) if (label as usize) < known => {
                labels[record] = label;
                Ok(())
            }
            _ => Err(file.wrong(format!(
                "record {record} has label {}, but the logits know the classes 0 to {} only; count classes \
                 from 0",
                file.spell(label),
                known - 1
            ))),
        })?;
        Ok(Self::Class(labels))
    }

    fn several(file: &NpyFile, shape: &Shape, folder: &Path) -> Result<Self, Unread> {
        let mut labels = Mapped::<u8>::zeroes(folder, "labels", shape.records * shape.classes)?;
        file.for_each_integer(|place, label| match u8::try_from(label) {
            Ok(label @ (0 | 1 | Labels::MISSING)) => {
                labels[place] = label;
                Ok(())
            }
            _ => Err(file.wrong(format!(
                "record {} has {} for label {}; give 1 where it holds, 0 where it does not, {} where it is \
                 not known",
                place / shape.classes,
                file.spell(label),
                place % shape.classes,
                Labels::MISSING
            ))),
        })?;
        Ok(Self::Multi(labels))
    }

    /// As the statistics read them.
    pub fn view(&self) -> Labels<'_> {
        match self {
            Self::Class(labels) => Labels::Class(labels),
            Self::Multi(labels) => Labels::Multi(labels),
        }
    }
}
