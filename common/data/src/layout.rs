//! The encoded file, byte by byte: a header of 512 bytes, then eight sections, each from a multiple of 64.
//!
//! | bytes | header |
//! |---|---|
//! | 0..8 | magic |
//! | 8..12, 12..16 | version, number type (u32: 0 f32, 1 u8, 2 i16) |
//! | 16..24, 24..32 | records, units (u64) |
//! | 32..36, 36..40, 40..44 | features, classes, attributes (u32) |
//! | 48..80 | content digest |
//! | 80..208 | offset and length of every section (u64 each) |
//! | 208..212 | form (u32: 0 table, 1 image, 2 signal) |
//! | 212..224 | of an image height, width, channels; of a signal samples, leads (u32 each) |
//! | 224..228 | targets (u32: 0 one class a record, 1 several labels) |
//! | others | zero |
//!
//! Sections, in this order without overlap: values `[records][features]`, channels last; labels u32 `[records]`,
//! or u8 `[records][classes]` of several; unit of every record u32 `[records]`; unit names (ends u64
//! `[units]`, text); unit digests `[units][32]`; attribute codes u32 `[attributes][units]`; source rows u64
//! `[records]`; description (JSON). All numbers are little-endian, all bytes between sections zero.
//!
//! Version 1 had f32 tables of one class a record only, and zeros from 208 on. Such a set is still written as
//! version 1, so that its bytes and its digest stay what they were.

use std::ops::Range;

use umbra_core::digest::{Digest, FieldHasher};
use umbra_core::shape::{DataShape, Form, Targets};

use crate::error::DataError;
use crate::limits::{
    MAX_ATTRIBUTES, MAX_CHANNELS, MAX_DESCRIPTION, MAX_FEATURES, MAX_LEVELS, MAX_RECORDS, MAX_VALUE_BYTES,
};
use crate::values::{Number, channels_of};

const MAGIC: [u8; 8] = *b"UMBRASET";
pub(crate) const HEADER: usize = 512;
pub(crate) const ALIGN: usize = 64;
const DIGEST_AT: usize = 48;
const SECTIONS_AT: usize = 80;
pub(crate) const SECTIONS: usize = 8;
const FORM_AT: usize = SECTIONS_AT + 16 * SECTIONS;
const TARGETS_AT: usize = FORM_AT + 16;
const END: usize = TARGETS_AT + 4;
const NUMBERS: [Number; 3] = [Number::F32, Number::U8, Number::I16];

/// The code of a missing attribute.
pub(crate) const MISSING: u32 = u32::MAX;

/// The counts in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub records: u64,
    pub units: u64,
    pub features: u32,
    pub classes: u32,
    pub attributes: u32,
    pub number: Number,
    pub form: Form,
    pub targets: Targets,
}

/// The sections' bytes.
pub(crate) struct Sections<'a> {
    pub values: &'a [u8],
    pub rest: Rest<'a>,
}

/// The sections after the values.
#[derive(Clone, Copy)]
pub(crate) struct Rest<'a> {
    pub labels: &'a [u8],
    pub record_units: &'a [u8],
    pub unit_names: &'a [u8],
    pub unit_digests: &'a [u8],
    pub attributes: &'a [u8],
    pub source_rows: &'a [u8],
    pub description: &'a [u8],
}

/// A checked header: where everything lies.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub shape: Shape,
    pub digest: Digest,
    pub values: Range<usize>,
    pub labels: Range<usize>,
    pub record_units: Range<usize>,
    pub unit_names: Range<usize>,
    pub unit_digests: Range<usize>,
    pub attributes: Range<usize>,
    pub source_rows: Range<usize>,
    pub description: Range<usize>,
}

/// A header; `sections` are the offset and length of every section.
pub(crate) fn header(shape: &Shape, digest: &Digest, sections: &[(u64, u64)]) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    put_u32(&mut bytes, 8, shape.version());
    put_u32(&mut bytes, 12, NUMBERS.iter().position(|&number| number == shape.number).unwrap_or(0) as u32);
    put_u64(&mut bytes, 16, shape.records);
    put_u64(&mut bytes, 24, shape.units);
    put_u32(&mut bytes, 32, shape.features);
    put_u32(&mut bytes, 36, shape.classes);
    put_u32(&mut bytes, 40, shape.attributes);
    bytes[DIGEST_AT..SECTIONS_AT].copy_from_slice(digest.as_bytes());
    for (i, (offset, length)) in sections.iter().take(SECTIONS).enumerate() {
        put_u64(&mut bytes, SECTIONS_AT + 16 * i, *offset);
        put_u64(&mut bytes, SECTIONS_AT + 16 * i + 8, *length);
    }
    for (i, word) in form_words(&shape.form).into_iter().enumerate() {
        put_u32(&mut bytes, FORM_AT + 4 * i, word);
    }
    put_u32(&mut bytes, TARGETS_AT, u32::from(shape.targets == Targets::Labels));
    bytes
}

/// Begins the digest of a data set's content, up to and including the length of the values: everything but
/// the source rows and what follows from the rest.
pub(crate) fn begin_digest(shape: &Shape) -> FieldHasher {
    let version = shape.version();
    let mut hasher = FieldHasher::new(&format!("umbra data set {version}"));
    hasher.put_u64("records", shape.records);
    hasher.put_u64("units", shape.units);
    hasher.put_u64("features", shape.features.into());
    hasher.put_u64("classes", shape.classes.into());
    hasher.put_u64("attributes", shape.attributes.into());
    if version > 1 {
        for word in form_words(&shape.form) {
            hasher.put_u64("form", word.into());
        }
        hasher.put_u64("several labels", u64::from(shape.targets == Targets::Labels));
    }
    let name = match shape.number {
        Number::F32 => "features f32",
        Number::U8 => "features u8",
        Number::I16 => "features i16",
    };
    hasher.begin(name, shape.value_bytes());
    hasher
}

/// Ends the digest of a data set's content, after the values.
pub(crate) fn end_digest(mut hasher: FieldHasher, rest: &Rest<'_>) -> Digest {
    hasher.put("labels", rest.labels);
    hasher.put("record units", rest.record_units);
    hasher.put("unit names", rest.unit_names);
    hasher.put("attribute codes", rest.attributes);
    hasher.put("description", rest.description);
    hasher.finish()
}

/// The digest of a data set's content.
pub(crate) fn content_digest(shape: &Shape, sections: &Sections<'_>) -> Digest {
    let mut hasher = begin_digest(shape);
    hasher.append(sections.values);
    end_digest(hasher, &sections.rest)
}

fn form_words(form: &Form) -> [u32; 4] {
    match *form {
        Form::Table => [0; 4],
        Form::Image { height, width, channels } => [1, height, width, channels],
        Form::Signal { samples, leads } => [2, samples, leads, 0],
    }
}

fn form_of(words: [u32; 4]) -> Option<Form> {
    match words {
        [0, 0, 0, 0] => Some(Form::Table),
        [1, height, width, channels] => Some(Form::Image { height, width, channels }),
        [2, samples, leads, 0] => Some(Form::Signal { samples, leads }),
        _ => None,
    }
}

impl<'a> Sections<'a> {
    /// The sections of a file that was checked.
    pub(crate) fn of(bytes: &'a [u8], layout: &Layout) -> Self {
        Self {
            values: &bytes[layout.values.clone()],
            rest: Rest {
                labels: &bytes[layout.labels.clone()],
                record_units: &bytes[layout.record_units.clone()],
                unit_names: &bytes[layout.unit_names.clone()],
                unit_digests: &bytes[layout.unit_digests.clone()],
                attributes: &bytes[layout.attributes.clone()],
                source_rows: &bytes[layout.source_rows.clone()],
                description: &bytes[layout.description.clone()],
            },
        }
    }
}

impl<'a> Rest<'a> {
    /// The sections in the order of the file.
    pub(crate) fn all(&self) -> [&'a [u8]; SECTIONS - 1] {
        [
            self.labels,
            self.record_units,
            self.unit_names,
            self.unit_digests,
            self.attributes,
            self.source_rows,
            self.description,
        ]
    }
}

impl Layout {
    /// Checks a header and every bound against the bytes at hand.
    pub(crate) fn check(bytes: &[u8]) -> Result<Self, DataError> {
        let name = || "the data set".to_owned();
        if bytes.get(..8) != Some(&MAGIC[..]) {
            return Err(DataError::NotADataset { name: name() });
        }
        if bytes.len() < HEADER {
            return Err(DataError::damaged("it ends within its header"));
        }
        let version = get_u32(bytes, 8);
        if !(1..=2).contains(&version) {
            return Err(DataError::Unsupported { name: name(), what: format!("version {version}") });
        }
        let Some(&number) = NUMBERS.get(get_u32(bytes, 12) as usize) else {
            let what = format!("the number type {}", get_u32(bytes, 12));
            return Err(DataError::Unsupported { name: name(), what });
        };
        let words = std::array::from_fn(|i| get_u32(bytes, FORM_AT + 4 * i));
        let targets = match get_u32(bytes, TARGETS_AT) {
            0 => Some(Targets::Class),
            1 => Some(Targets::Labels),
            _ => None,
        };
        let (Some(form), Some(targets)) = (form_of(words), targets) else {
            return Err(DataError::damaged("its form is none"));
        };
        let shape = Shape {
            records: get_u64(bytes, 16),
            units: get_u64(bytes, 24),
            features: get_u32(bytes, 32),
            classes: get_u32(bytes, 36),
            attributes: get_u32(bytes, 40),
            number,
            form,
            targets,
        };
        shape.check()?;
        if shape.version() != version {
            return Err(DataError::damaged("its version does not fit what it holds"));
        }
        let zero = |range: Range<usize>| bytes[range].iter().all(|&byte| byte == 0);
        let mut end = HEADER;
        let mut section = |i: usize, length: Option<u64>| {
            let at = SECTIONS_AT + 16 * i;
            let (offset, found) = (get_u64(bytes, at), get_u64(bytes, at + 8));
            let start = aligned(end);
            let fits = offset == start as u64
                && length.is_none_or(|length| length == found)
                && (bytes.len() as u64).checked_sub(offset).is_some_and(|rest| found <= rest)
                && zero(end..start);
            if !fits {
                return Err(DataError::damaged(format!(
                    "section {i} lies outside the file or has the wrong size"
                )));
            }
            end = start + found as usize;
            Ok(start..end)
        };
        // The counts are bounded, so no product overflows.
        let (records, units) = (shape.records, shape.units);
        let layout = Self {
            shape,
            digest: Digest::from_slice(&bytes[DIGEST_AT..SECTIONS_AT]).expect("the field has 32 bytes"),
            values: section(0, Some(shape.value_bytes()))?,
            labels: section(1, Some(shape.label_bytes()))?,
            record_units: section(2, Some(records * 4))?,
            unit_names: section(3, None)?,
            unit_digests: section(4, Some(units * 32))?,
            attributes: section(5, Some(units * u64::from(shape.attributes) * 4))?,
            source_rows: section(6, Some(records * 8))?,
            description: section(7, None)?,
        };
        if end != bytes.len() {
            return Err(DataError::damaged("there are bytes after its end"));
        }
        if layout.description.len() as u64 > MAX_DESCRIPTION {
            return Err(DataError::damaged("its description is absurdly long"));
        }
        if !zero(44..DIGEST_AT) || !zero(END..HEADER) {
            return Err(DataError::damaged("its header holds more than it should"));
        }
        Ok(layout)
    }
}

impl Shape {
    /// What planning needs of it.
    pub(crate) fn public(&self) -> DataShape {
        DataShape {
            records: self.records,
            units: self.units,
            features: self.features,
            classes: self.classes,
            form: self.form,
            targets: self.targets,
        }
    }

    /// The first version of the file that can hold it.
    fn version(&self) -> u32 {
        let first = self.number == Number::F32 && self.form == Form::Table && self.targets == Targets::Class;
        if first { 1 } else { 2 }
    }

    /// Bytes of all records' numbers.
    pub(crate) fn value_bytes(&self) -> u64 {
        self.records * u64::from(self.features) * self.number.bytes() as u64
    }

    fn label_bytes(&self) -> u64 {
        match self.targets {
            Targets::Class => self.records * 4,
            Targets::Labels => self.records * u64::from(self.classes),
        }
    }

    fn check(&self) -> Result<(), DataError> {
        let least = if self.targets == Targets::Class { 2 } else { 1 };
        let form = match self.form {
            Form::Table => self.number == Number::F32,
            _ => self.form.features() == Some(self.features) && channels_of(&self.form) <= MAX_CHANNELS,
        };
        let within = (1..=MAX_RECORDS).contains(&self.records)
            && (1..=self.records).contains(&self.units)
            && (1..=MAX_FEATURES).contains(&self.features)
            && (least..=MAX_LEVELS as u32).contains(&self.classes)
            && self.attributes <= MAX_ATTRIBUTES
            && form
            && self.value_bytes() <= MAX_VALUE_BYTES;
        if within { Ok(()) } else { Err(DataError::damaged(format!("its counts are absurd ({self:?})"))) }
    }
}

pub(crate) fn aligned(offset: usize) -> usize {
    offset.next_multiple_of(ALIGN)
}

fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn get_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a slice of four bytes"))
}

fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a slice of eight bytes"))
}
