//! Which unit every record belongs to, and what units are called.

use std::borrow::Cow;
use std::path::Path;

use umbra_core::digest::Digest;
use umbra_data::npy::{Kind, NpyFile};
use umbra_runtime::Mapped;

use super::numbering::{Entry, Numbering};
use super::unread::Unread;

/// The units of all records, numbered in the order in which they first come. There may be many millions: all
/// of it lies in scratch files.
#[derive(Debug)]
pub struct Units {
    /// The unit of every record.
    pub of_record: Mapped<u32>,
    names: Names,
}

#[derive(Debug)]
enum Names {
    /// Every record is a unit of its own, called by its row.
    Rows(usize),
    Numbers {
        /// The record where each first comes.
        first: Mapped<u32>,
        /// The bits of the number of every record.
        values: Mapped<u64>,
        is_unsigned: bool,
    },
    Texts {
        /// All names, one behind the other.
        joined: Mapped<u8>,
        /// Where each ends.
        ends: Mapped<u64>,
    },
}

impl Units {
    /// Every record a unit of its own.
    ///
    /// # Errors
    /// If there is no room in the folder.
    pub fn of_rows(records: usize, folder: &Path) -> Result<Self, Unread> {
        let mut of_record = Mapped::<u32>::zeroes(folder, "the unit of every record", records)?;
        (0..).zip(of_record.iter_mut()).for_each(|(record, unit)| *unit = record);
        Ok(Self { of_record, names: Names::Rows(records) })
    }

    /// Reads the unit of every record, numbers or texts.
    ///
    /// # Errors
    /// If the file cannot be read, a record has no unit, or there is no room in the folder.
    pub fn read(file: &NpyFile, folder: &Path) -> Result<Self, Unread> {
        if file.dtype().is_text() { Self::texts(file, folder) } else { Self::numbers(file, folder) }
    }

    fn numbers(file: &NpyFile, folder: &Path) -> Result<Self, Unread> {
        let records = file.shape()[0];
        let mut values = Mapped::<u64>::zeroes(folder, "the names of units", records)?;
        let mut entries = Mapped::<Entry>::zeroes(folder, "the names of units, to be sorted", records)?;
        file.for_each_integer(|record, number| {
            values[record] = number as u64;
            entries[record] = [0, number as u64, record as u64];
            Ok(())
        })?;
        let Numbering { of_record, first } = Numbering::of(entries, folder)?;
        let is_unsigned = file.dtype().kind == Kind::Unsigned;
        Ok(Self { of_record, names: Names::Numbers { first, values, is_unsigned } })
    }

    fn texts(file: &NpyFile, folder: &Path) -> Result<Self, Unread> {
        let records = file.shape()[0];
        let mut entries = Mapped::<Entry>::zeroes(folder, "the names of units, to be sorted", records)?;
        file.for_each_text(|record, name| {
            if name.is_empty() {
                let what = format!("record {record} has no unit; name the unit of every record");
                return Err(Unread::from(file.wrong(what)));
            }
            // Half of a digest: nobody finds two texts that share it.
            let digest = Digest::of(name.as_bytes());
            let (halves, _) = digest.as_bytes().as_chunks::<8>();
            let [a, b] = [halves[0], halves[1]].map(u64::from_le_bytes);
            entries[record] = [a, b, record as u64];
            Ok(())
        })?;
        let Numbering { of_record, first } = Numbering::of(entries, folder)?;
        let (mut joined, mut ends) =
            (Mapped::grow(folder, "the names of units")?, Mapped::grow(folder, "the names of units")?);
        let (mut unit, mut end) = (0, 0);
        file.for_each_text(|record, name| {
            if first.get(unit).is_some_and(|&first| first as usize == record) {
                joined.extend(name.as_bytes())?;
                end += name.len() as u64;
                ends.push(end)?;
                unit += 1;
            }
            Ok::<(), Unread>(())
        })?;
        Ok(Self { of_record, names: Names::Texts { joined: joined.finish()?, ends: ends.finish()? } })
    }
}

impl umbra_coordinator::report::Names for Units {
    fn count(&self) -> usize {
        match &self.names {
            Names::Rows(records) => *records,
            Names::Numbers { first, .. } => first.len(),
            Names::Texts { ends, .. } => ends.len(),
        }
    }

    fn name(&self, unit: usize) -> Cow<'_, str> {
        match &self.names {
            Names::Rows(_) => unit.to_string().into(),
            Names::Numbers { first, values, is_unsigned } => {
                let value = values[first[unit] as usize];
                if *is_unsigned { value.to_string().into() } else { (value as i64).to_string().into() }
            }
            Names::Texts { joined, ends } => {
                let start = unit.checked_sub(1).map_or(0, |before| ends[before]);
                String::from_utf8_lossy(&joined[start as usize..ends[unit] as usize])
            }
        }
    }
}
