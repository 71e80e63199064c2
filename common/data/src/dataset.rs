//! An encoded data set, mapped or in memory.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use umbra_core::digest::Digest;
use umbra_core::shape::{DataShape, Targets};

use crate::description::Description;
use crate::error::DataError;
use crate::gather;
use crate::labels::{Labels, UNKNOWN};
use crate::layout::{Layout, MISSING, Sections, content_digest};
use crate::mmap::{Plain, Storage, numbers};
use crate::text::TextList;
use crate::units::unit_digest;
use crate::values::{Normalisation, Number, Values};

/// An encoded data set. Records are sorted by unit, so a unit's records are neighbours.
pub struct Dataset {
    bytes: Storage,
    layout: Layout,
    unit_names: TextList,
    description: Description,
    normalisation: Normalisation,
    file: Option<File>,
}

/// An attribute of units, such as sex or race.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The column it comes from.
    pub name: String,
    /// The names of its levels.
    pub levels: Vec<String>,
    /// The level of every unit, an index into `levels`; `None` where it is missing.
    pub values: Vec<Option<u32>>,
}

impl Dataset {
    /// Maps an encoded file and checks every bound; the features are not read.
    ///
    /// # Errors
    /// [`DataError`]: the file cannot be read, is something else, or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let read = |source| DataError::Io { path: name.clone(), source };
        let file = File::open(path).map_err(read)?;
        let storage = Storage::map(&file).map_err(read)?;
        let mut dataset = Self::check(storage).map_err(|error| error.named(&name))?;
        dataset.file = Some(file);
        Ok(dataset)
    }

    /// Takes an encoded file that is in memory, without copying it where it is aligned.
    ///
    /// # Errors
    /// [`DataError`]: the bytes are something else, or damaged.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, DataError> {
        Self::check(Storage::shared(bytes))
    }

    fn check(bytes: Storage) -> Result<Self, DataError> {
        let layout = Layout::check(&bytes)?;
        let shape = layout.shape;
        let unit_names = TextList::check(&bytes, layout.unit_names.clone(), shape.units as usize)?;
        let description: Description = serde_json::from_slice(&bytes[layout.description.clone()])
            .map_err(|_| DataError::damaged("its description cannot be read"))?;
        if !description.fits(&shape) {
            return Err(DataError::damaged("its description does not fit its counts"));
        }
        let normalisation = Normalisation::of(&description.channels);
        let dataset = Self { bytes, layout, unit_names, description, normalisation, file: None };
        match dataset.labels() {
            Labels::Class(labels) if labels.iter().any(|&label| label >= shape.classes) => {
                return Err(DataError::damaged("a label is no class"));
            }
            Labels::Several { labels, .. }
                if labels.iter().any(|label| !matches!(label, 0 | 1 | &UNKNOWN)) =>
            {
                return Err(DataError::damaged("a label is neither 0, 1 nor not known"));
            }
            _ => {}
        }
        let mut last = None;
        for &unit in dataset.record_units() {
            if unit != last.map_or(0, |last| last) && Some(unit) != last.map(|last| last + 1) {
                return Err(DataError::damaged("records are not sorted by unit"));
            }
            last = Some(unit);
        }
        if last.map(|last| u64::from(last) + 1) != Some(shape.units) {
            return Err(DataError::damaged("a unit has no record"));
        }
        for (index, (name, levels)) in dataset.description.attributes.iter().enumerate() {
            let codes = dataset.attribute_codes(index);
            if codes.iter().any(|&code| code != MISSING && code as usize >= levels.len()) {
                return Err(DataError::damaged(format!("a unit's {name} is no level")));
            }
        }
        Ok(dataset)
    }

    /// Reads everything and checks what [`Dataset::open`] takes on trust: the content digest, that all
    /// features are finite, and that unit names are unique with their digests. For bytes from elsewhere.
    ///
    /// # Errors
    /// [`DataError::Damaged`] with what does not fit.
    pub fn verify(&self) -> Result<(), DataError> {
        if content_digest(&self.layout.shape, &Sections::of(&self.bytes, &self.layout)) != self.digest() {
            return Err(DataError::damaged("its content does not fit its digest"));
        }
        if let Values::F32(values) = self.values()
            && !values.iter().all(|value| value.is_finite())
        {
            return Err(DataError::damaged("a feature is not a finite number"));
        }
        let mut seen = Vec::with_capacity(self.shape().units as usize);
        for (name, digest) in self.unit_names().zip(self.unit_digests()) {
            if unit_digest(name) != digest {
                return Err(DataError::damaged("a unit's digest does not fit its name"));
            }
            seen.push(digest);
        }
        seen.sort_unstable();
        if seen.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(DataError::damaged("two units have one name"));
        }
        Ok(())
    }

    /// Records, units, features, classes, and how they lie.
    pub fn shape(&self) -> DataShape {
        self.layout.shape.public()
    }

    /// The digest of the content: shape, features, labels, units, attributes, names and encoder; not of
    /// the source rows, so that the same rows in another order have the same digest.
    pub fn digest(&self) -> Digest {
        self.layout.digest
    }

    /// The numbers of all records as they are stored, `[records][features]`, channels last. A model is given
    /// them after [`Dataset::normalisation`]; see [`crate::gather`].
    pub fn values(&self) -> Values<'_> {
        match self.layout.shape.number {
            Number::F32 => Values::F32(self.view(&self.layout.values)),
            Number::U8 => Values::U8(self.view(&self.layout.values)),
            Number::I16 => Values::I16(self.view(&self.layout.values)),
        }
    }

    /// What makes stored numbers fit for training, a factor and a shift a channel; the identity for tables.
    pub fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    /// The features of a table, `[records][features]`, row after row; empty where records are stored as other
    /// numbers than f32. [`Dataset::values`] has the numbers of every set.
    pub fn features(&self) -> &[f32] {
        match self.values() {
            Values::F32(values) => values,
            Values::U8(_) | Values::I16(_) => &[],
        }
    }

    /// The labels of all records.
    pub fn labels(&self) -> Labels<'_> {
        match self.layout.shape.targets {
            Targets::Class => Labels::Class(self.view(&self.layout.labels)),
            Targets::Labels => Labels::Several {
                labels: self.view(&self.layout.labels),
                count: self.layout.shape.classes as usize,
            },
        }
    }

    /// The file it is mapped from and where in it the values begin; `None` in memory.
    pub(crate) fn file(&self) -> Option<(&File, u64)> {
        self.file.as_ref().map(|file| (file, self.layout.values.start as u64))
    }

    /// The unit of every record; never falls, and grows by at most one from record to record.
    pub fn record_units(&self) -> &[u32] {
        self.view(&self.layout.record_units)
    }

    /// The records of a unit.
    pub fn unit_records(&self, unit: u32) -> Range<usize> {
        let units = self.record_units();
        units.partition_point(|&other| other < unit)..units.partition_point(|&other| other <= unit)
    }

    /// The row of the source file that every record comes from, the first data row being 0.
    pub fn source_rows(&self) -> &[u64] {
        self.view(&self.layout.source_rows)
    }

    /// The name of a unit.
    ///
    /// # Panics
    /// If there is no such unit.
    pub fn unit_name(&self, unit: u32) -> &str {
        self.unit_names.get(&self.bytes, unit as usize)
    }

    /// The names of all units.
    pub fn unit_names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.layout.shape.units as u32).map(|unit| self.unit_name(unit))
    }

    /// The digests of all units' names, which membership is drawn from.
    pub fn unit_digests(&self) -> impl ExactSizeIterator<Item = Digest> + Clone {
        let digests = &self.bytes[self.layout.unit_digests.clone()];
        digests.chunks_exact(32).map(|bytes| Digest::from_slice(bytes).expect("a chunk of 32 bytes"))
    }

    /// The attributes of units.
    pub fn attributes(&self) -> Vec<Attribute> {
        let attribute = |(index, (name, levels)): (usize, &(String, Vec<String>))| Attribute {
            name: name.clone(),
            levels: levels.clone(),
            values: self.unit_levels(index).collect(),
        };
        self.description.attributes.iter().enumerate().map(attribute).collect()
    }

    /// The level of every unit for one attribute of [`Dataset::description`]; `None` where it is missing.
    ///
    /// # Panics
    /// If there is no such attribute.
    pub fn unit_levels(&self, attribute: usize) -> impl ExactSizeIterator<Item = Option<u32>> {
        self.attribute_codes(attribute).iter().map(|&code| (code != MISSING).then_some(code))
    }

    /// The names of the classes; with several labels, of the labels.
    pub fn class_names(&self) -> &[String] {
        &self.description.class_names
    }

    /// The names of a table's features.
    pub fn feature_names(&self) -> &[String] {
        &self.description.feature_names
    }

    /// Names and encoder.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Copies the normalised rows of records into `out`, `[rows][features]`.
    ///
    /// # Panics
    /// If `out` has another length, or a row is no record.
    pub fn gather(&self, rows: &[u32], out: &mut [f32]) {
        let features = self.layout.shape.features as usize;
        gather::normalised(self.values(), &self.normalisation, features, rows, features, out);
    }

    fn attribute_codes(&self, index: usize) -> &[u32] {
        let units = self.layout.shape.units as usize;
        &self.view::<u32>(&self.layout.attributes)[index * units..(index + 1) * units]
    }

    fn view<T: Plain>(&self, section: &Range<usize>) -> &[T] {
        numbers(&self.bytes[section.clone()]).expect("storage and sections are aligned")
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset").field("shape", &self.shape()).field("digest", &self.digest()).finish()
    }
}
