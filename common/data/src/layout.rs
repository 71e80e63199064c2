//! The encoded file, byte by byte: a header of 512 bytes, then eight sections, each from a multiple of 64.
//!
//! | bytes | header |
//! |---|---|
//! | 0..8 | magic |
//! | 8..12, 12..16 | version, number type of the features (u32) |
//! | 16..24, 24..32 | records, units (u64) |
//! | 32..36, 36..40, 40..44 | features, classes, attributes (u32) |
//! | 48..80 | content digest |
//! | 80..208 | offset and length of every section (u64 each) |
//! | others | zero |
//!
//! Sections, in this order without overlap: features f32 `[records][features]`; labels u32 `[records]`;
//! unit of every record u32 `[records]`; unit names (ends u64 `[units]`, text); unit digests `[units][32]`;
//! attribute codes u32 `[attributes][units]`; source rows u64 `[records]`; description (JSON). All numbers
//! are little-endian, all bytes between sections zero. Another number type of features (u8, i16) is another
//! value in the header and another length of the first section.

use std::ops::Range;

use umbra_core::digest::{Digest, FieldHasher};
use umbra_core::shape::DataShape;

use crate::error::DataError;
use crate::limits::{
    MAX_ATTRIBUTES, MAX_DESCRIPTION, MAX_FEATURE_BYTES, MAX_FEATURES, MAX_LEVELS, MAX_RECORDS,
};

const MAGIC: [u8; 8] = *b"UMBRASET";
const VERSION: u32 = 1;
const F32: u32 = 0;
const HEADER: usize = 512;
const ALIGN: usize = 64;
const DIGEST_AT: usize = 48;
const SECTIONS_AT: usize = 80;
const SECTIONS: usize = 8;
const SECTIONS_END: usize = SECTIONS_AT + 16 * SECTIONS;

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
}

/// The sections' bytes, to be written.
pub(crate) struct Sections<'a> {
    pub features: &'a [u8],
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
    pub features: Range<usize>,
    pub labels: Range<usize>,
    pub record_units: Range<usize>,
    pub unit_names: Range<usize>,
    pub unit_digests: Range<usize>,
    pub attributes: Range<usize>,
    pub source_rows: Range<usize>,
    pub description: Range<usize>,
}

/// Writes an encoded file.
pub(crate) fn write(shape: &Shape, sections: &Sections<'_>) -> Vec<u8> {
    let all = sections.all();
    let size = all.iter().fold(HEADER, |end, section| aligned(end) + section.len());
    let mut bytes = Vec::with_capacity(size);
    bytes.resize(HEADER, 0);
    for (i, section) in all.iter().enumerate() {
        bytes.resize(aligned(bytes.len()), 0);
        let offset = bytes.len() as u64;
        put_u64(&mut bytes, SECTIONS_AT + 16 * i, offset);
        put_u64(&mut bytes, SECTIONS_AT + 16 * i + 8, section.len() as u64);
        bytes.extend_from_slice(section);
    }
    bytes[..8].copy_from_slice(&MAGIC);
    put_u32(&mut bytes, 8, VERSION);
    put_u32(&mut bytes, 12, F32);
    put_u64(&mut bytes, 16, shape.records);
    put_u64(&mut bytes, 24, shape.units);
    put_u32(&mut bytes, 32, shape.features);
    put_u32(&mut bytes, 36, shape.classes);
    put_u32(&mut bytes, 40, shape.attributes);
    bytes[DIGEST_AT..SECTIONS_AT].copy_from_slice(content_digest(shape, sections).as_bytes());
    bytes
}

/// The digest of a data set's content: everything but the source rows and what follows from the rest.
pub(crate) fn content_digest(shape: &Shape, sections: &Sections<'_>) -> Digest {
    let mut hasher = FieldHasher::new("umbra data set 1");
    hasher.put_u64("records", shape.records);
    hasher.put_u64("units", shape.units);
    hasher.put_u64("features", shape.features.into());
    hasher.put_u64("classes", shape.classes.into());
    hasher.put_u64("attributes", shape.attributes.into());
    hasher.put("features f32", sections.features);
    hasher.put("labels", sections.labels);
    hasher.put("record units", sections.record_units);
    hasher.put("unit names", sections.unit_names);
    hasher.put("attribute codes", sections.attributes);
    hasher.put("description", sections.description);
    hasher.finish()
}

impl<'a> Sections<'a> {
    /// The sections of a file that was checked.
    pub(crate) fn of(bytes: &'a [u8], layout: &Layout) -> Self {
        Self {
            features: &bytes[layout.features.clone()],
            labels: &bytes[layout.labels.clone()],
            record_units: &bytes[layout.record_units.clone()],
            unit_names: &bytes[layout.unit_names.clone()],
            unit_digests: &bytes[layout.unit_digests.clone()],
            attributes: &bytes[layout.attributes.clone()],
            source_rows: &bytes[layout.source_rows.clone()],
            description: &bytes[layout.description.clone()],
        }
    }

    fn all(&self) -> [&'a [u8]; SECTIONS] {
        [
            self.features,
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
        if version != VERSION {
            return Err(DataError::Unsupported { name: name(), what: format!("version {version}") });
        }
        if get_u32(bytes, 12) != F32 {
            let what = format!("the number type {}", get_u32(bytes, 12));
            return Err(DataError::Unsupported { name: name(), what });
        }
        let shape = Shape {
            records: get_u64(bytes, 16),
            units: get_u64(bytes, 24),
            features: get_u32(bytes, 32),
            classes: get_u32(bytes, 36),
            attributes: get_u32(bytes, 40),
        };
        shape.check()?;
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
            features: section(0, Some(records * u64::from(shape.features) * 4))?,
            labels: section(1, Some(records * 4))?,
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
        if !zero(44..DIGEST_AT) || !zero(SECTIONS_END..HEADER) {
            return Err(DataError::damaged("its header holds more than it should"));
        }
        Ok(layout)
    }
}

impl Shape {
    /// What planning needs of it.
    pub(crate) fn public(&self) -> DataShape {
        DataShape::table(self.records, self.units, self.features, self.classes)
    }

    fn check(&self) -> Result<(), DataError> {
        let within = (1..=MAX_RECORDS).contains(&self.records)
            && (1..=self.records).contains(&self.units)
            && (1..=MAX_FEATURES).contains(&self.features)
            && (2..=MAX_LEVELS as u32).contains(&self.classes)
            && self.attributes <= MAX_ATTRIBUTES
            && self.records * u64::from(self.features) * 4 <= MAX_FEATURE_BYTES;
        if within { Ok(()) } else { Err(DataError::damaged(format!("its counts are absurd ({self:?})"))) }
    }
}

fn aligned(offset: usize) -> usize {
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
