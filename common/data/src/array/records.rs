//! Records read off arrays, whatever their type, byte order and order of axes.

use std::ops::Range;

use umbra_core::shape::Form;

use super::{axes, note, shape_text};
use crate::channels::{Planned, plan, usual_names};
use crate::npy::{Kind, NpyFile};
use crate::refusal::{ImportError, Problems};
use crate::schema::{ArrayKeys, Schema};
use crate::spool::{RecordForm, RecordSource};
use crate::values::{Number, channels_of};

/// Whole numbers up to here are exact in single precision.
const EXACT: f64 = 16_777_216.0;

/// The records of one array, or of several, one after the other.
pub(super) struct ArrayRecords {
    parts: Vec<NpyFile>,
    form: RecordForm,
    places: Option<Vec<u32>>,
    raw: Vec<u8>,
}

impl ArrayRecords {
    /// Checks that arrays hold records of one form. `None` after a mistake.
    pub(super) fn new(
        parts: Vec<NpyFile>,
        keys: &ArrayKeys,
        schema: &Schema,
        problems: &mut Problems,
    ) -> Option<Self> {
        let first = parts.first()?;
        let Some((_, axes)) = first.shape().split_first() else {
            problems.whole(format!("{}: a single number: name the array of the records", first.name()));
            return None;
        };
        let dtype = first.dtype();
        let number = match (dtype.kind, dtype.size) {
            (Kind::Bool, _) | (Kind::Unsigned, 1) => Number::U8,
            (Kind::Signed, 1 | 2) => Number::I16,
            (Kind::Unicode | Kind::Bytes, _) => {
                problems.whole(format!("{}: {dtype}: records are numbers", first.name()));
                return None;
            }
            _ => Number::F32,
        };
        let (order, form) = match axes::form(axes, keys.layout, keys.data.name == "images") {
            Ok(found) => found,
            Err(what) => {
                problems.whole(format!("{}, {}: {what}", first.name(), shape_text(first)));
                return None;
            }
        };
        for other in &parts[1..] {
            if other.shape().get(1..) != Some(axes)
                || other.dtype().kind != dtype.kind
                || other.dtype().size != dtype.size
            {
                problems.whole(format!(
                    "{} is {}, but {} is {}: records must be alike",
                    other.name(),
                    shape_text(other),
                    first.name(),
                    shape_text(first)
                ));
                return None;
            }
        }
        let channels = channels(&form, number, keys, schema, problems)?;
        let places = axes::places(order, &form);
        let records = Self { parts, form: RecordForm { number, form, channels }, places, raw: Vec::new() };
        if records.records() == 0 {
            problems.whole(format!("{}: there are no records in it", records.parts[0].name()));
            return None;
        }
        Some(records)
    }

    pub(super) fn form(&self) -> &RecordForm {
        &self.form
    }

    pub(super) fn records(&self) -> u64 {
        self.parts.iter().map(|part| part.shape()[0] as u64).sum()
    }
}

impl RecordSource for ArrayRecords {
    fn read(&mut self, rows: Range<u64>, out: &mut [u8], problems: &mut Problems) -> Result<(), ImportError> {
        let bytes = self.form.record_bytes();
        let mut first = 0u64;
        for part in &self.parts {
            let end = first + part.shape()[0] as u64;
            let (from, to) = (rows.start.max(first), rows.end.min(end));
            if from < to {
                let here = (from - first) as usize..(to - first) as usize;
                let target = (from - rows.start) as usize * bytes..(to - rows.start) as usize * bytes;
                if note(part.read_records(here, &mut self.raw), problems)?.is_none() {
                    return Ok(());
                }
                let size = part.dtype().size * self.form.features();
                let records = self.raw.chunks_exact(size).zip(out[target].chunks_exact_mut(bytes));
                for (row, (raw, record)) in (from + 1..).zip(records) {
                    if let Err(what) = convert(part, raw, self.places.as_deref(), self.form.number, record) {
                        problems.row(row, what);
                    }
                }
            }
            first = end;
        }
        Ok(())
    }
}

/// Brings a record's items into their number type and order, or says what is wrong with one.
fn convert(
    array: &NpyFile,
    raw: &[u8],
    places: Option<&[u32]>,
    number: Number,
    out: &mut [u8],
) -> Result<(), String> {
    let dtype = array.dtype();
    let item = |i: usize| {
        let place = places.map_or(i, |places| places[i] as usize);
        &raw[place * dtype.size..][..dtype.size]
    };
    match number {
        Number::U8 => {
            for (i, target) in out.iter_mut().enumerate() {
                *target = if dtype.kind == Kind::Bool { u8::from(item(i)[0] != 0) } else { item(i)[0] };
            }
        }
        Number::I16 => {
            for (i, target) in out.chunks_exact_mut(2).enumerate() {
                let value = match (item(i), dtype.big_endian) {
                    (&[byte], _) => i16::from(byte as i8),
                    (&[a, b], false) => i16::from_le_bytes([a, b]),
                    (&[a, b], true) => i16::from_be_bytes([a, b]),
                    _ => 0,
                };
                target.copy_from_slice(&value.to_le_bytes());
            }
        }
        Number::F32 => {
            let whole = dtype.is_integer();
            for (i, target) in out.chunks_exact_mut(4).enumerate() {
                let value = array.real(item(i));
                let single = value as f32;
                if !single.is_finite() {
                    return Err(format!("{value} is no number of single precision: drop or mend the record"));
                }
                if whole && value.abs() > EXACT {
                    return Err(format!(
                        "{value} is not exact in single precision: save the array as float32 or int16"
                    ));
                }
                target.copy_from_slice(&(single + 0.0).to_le_bytes());
            }
        }
    }
    Ok(())
}

/// The names of the channels and what they are normalised by.
fn channels(
    form: &Form,
    number: Number,
    keys: &ArrayKeys,
    schema: &Schema,
    problems: &mut Problems,
) -> Option<Vec<Planned>> {
    let count = channels_of(form) as usize;
    if let Some(first) = keys.channel_names.first()
        && keys.channel_names.len() != count
    {
        let found = keys.channel_names.len();
        let message = format!("{found} names for {count} channels: name each once, in their order");
        problems.schema(&schema.file, first.line, "channel_names", message);
        return None;
    }
    let names = match keys.channel_names.is_empty() {
        true => usual_names(form),
        false => keys.channel_names.iter().map(|named| named.name.clone()).collect(),
    };
    let unit = match number {
        Number::U8 => 255.0,
        Number::I16 => 32768.0,
        Number::F32 => 1.0,
    };
    plan(names, &keys.normalize, &[unit], schema, problems)
}
