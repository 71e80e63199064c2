//! Which unit every record belongs to, and what units are called.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use umbra_data::npy::{Kind, NpyError, NpyFile};

/// The units of all records, numbered in the order in which they first come.
#[derive(Debug)]
pub struct Units {
    /// The unit of every record.
    pub of_record: Vec<u32>,
    names: Names,
}

#[derive(Debug)]
enum Names {
    /// Every record is a unit of its own, called by its row.
    Rows(usize),
    Numbers {
        /// The bits of each.
        values: Vec<i64>,
        is_unsigned: bool,
    },
    Texts {
        /// All names, one behind the other.
        joined: String,
        /// Where each ends.
        ends: Vec<usize>,
    },
}

impl Units {
    /// Every record a unit of its own.
    pub fn of_rows(records: usize) -> Self {
        Self { of_record: (0..records as u32).collect(), names: Names::Rows(records) }
    }

    /// Reads the unit of every record, numbers or texts.
    ///
    /// # Errors
    /// If the file cannot be read, or a record has no unit.
    pub fn read(file: &NpyFile) -> Result<Self, NpyError> {
        if file.dtype().is_text() { Self::texts(file) } else { Self::numbers(file) }
    }

    fn numbers(file: &NpyFile) -> Result<Self, NpyError> {
        let mut of_record = Vec::with_capacity(file.shape()[0]);
        let mut values = Vec::new();
        let mut known = HashMap::new();
        file.for_each_integer(|_, number| {
            let unit = *known.entry(number).or_insert_with(|| {
                values.push(number);
                values.len() as u32 - 1
            });
            of_record.push(unit);
            Ok(())
        })?;
        let is_unsigned = file.dtype().kind == Kind::Unsigned;
        Ok(Self { of_record, names: Names::Numbers { values, is_unsigned } })
    }

    fn texts(file: &NpyFile) -> Result<Self, NpyError> {
        let mut of_record = Vec::with_capacity(file.shape()[0]);
        let (mut joined, mut ends) = (String::new(), Vec::new());
        let mut known: HashMap<Box<str>, u32> = HashMap::new();
        file.for_each_text(|record, name| {
            if name.is_empty() {
                return Err(file.wrong(format!("record {record} has no unit; name the unit of every record")));
            }
            let unit = match known.get(name) {
                Some(&unit) => unit,
                None => {
                    joined.push_str(name);
                    ends.push(joined.len());
                    let unit = ends.len() as u32 - 1;
                    match known.entry(name.into()) {
                        Entry::Vacant(place) => *place.insert(unit),
                        Entry::Occupied(place) => *place.get(),
                    }
                }
            };
            of_record.push(unit);
            Ok(())
        })?;
        Ok(Self { of_record, names: Names::Texts { joined, ends } })
    }
}

impl umbra_coordinator::report::Names for Units {
    fn count(&self) -> usize {
        match &self.names {
            Names::Rows(records) => *records,
            Names::Numbers { values, .. } => values.len(),
            Names::Texts { ends, .. } => ends.len(),
        }
    }

    fn name(&self, unit: usize) -> Cow<'_, str> {
        match &self.names {
            Names::Rows(_) => unit.to_string().into(),
            Names::Numbers { values, is_unsigned: true } => (values[unit] as u64).to_string().into(),
            Names::Numbers { values, is_unsigned: false } => values[unit].to_string().into(),
            Names::Texts { joined, ends } => {
                let start = unit.checked_sub(1).map_or(0, |before| ends[before]);
                joined[start..ends[unit]].into()
            }
        }
    }
}
