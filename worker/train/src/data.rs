//! The encoded data a pack is trained and queried on, as slices that outlive the run.

use umbra_core::shape::{DataShape, Form, Targets};
use umbra_data::Dataset;

use crate::error::TrainError;

/// The numbers of all records as they are stored, `[records][features]`, channels last.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Bytes, as those of images.
    U8(&'a [u8]),
    /// Short integers, as those of signals.
    I16(&'a [i16]),
}

/// What is known of every record.
#[derive(Debug, Clone, Copy)]
pub enum Labels<'a> {
    /// Its class, `[records]`.
    Class(&'a [u32]),
    /// Several labels, `[records][count]`: 1 holds, 0 does not, [`Labels::MISSING`] is not known.
    Several(&'a [u8], usize),
}

impl Labels<'_> {
    /// A label that is not known.
    pub const MISSING: u8 = 255;

    fn records(&self) -> usize {
        match self {
            Self::Class(labels) => labels.len(),
            Self::Several(labels, count) => labels.len() / (*count).max(1),
        }
    }
}

/// An encoded data set in memory (or mapped into it); every worker sees the same records in the same,
/// canonical order.
#[derive(Debug, Clone, Copy)]
pub struct TrainingData<'a> {
    shape: DataShape,
    values: Values<'a>,
    scaling: &'a [(f32, f32)],
    labels: Labels<'a>,
    record_units: &'a [u32],
}

impl<'a> TrainingData<'a> {
    /// Floats with a class a record: see [`TrainingData::raw`].
    ///
    /// # Errors
    /// As there.
    pub fn new(
        shape: DataShape,
        features: &'a [f32],
        labels: &'a [u32],
        record_units: &'a [u32],
    ) -> Result<Self, TrainError> {
        Self::raw(shape, Values::F32(features), &[], Labels::Class(labels), record_units)
    }

    /// Wraps `values` (`[records][features]`, row-major), which mean `value x scale + shift` with one (scale, shift)
    /// per channel (none: as they are), `labels` (classes below `shape.classes`, or `shape.classes` labels each)
    /// and `record_units` (`[records]`, below `shape.units`).
    ///
    /// # Errors
    /// [`TrainError::Data`] where a length, a label or a unit contradicts the shape.
    pub fn raw(
        shape: DataShape,
        values: Values<'a>,
        scaling: &'a [(f32, f32)],
        labels: Labels<'a>,
        record_units: &'a [u32],
    ) -> Result<Self, TrainError> {
        let wrong = |message: String| Err(TrainError::Data(message));
        let records = shape.records;
        if records == 0 || records > u64::from(u32::MAX) {
            return wrong(format!("{records} records: training takes 1 to {}", u32::MAX));
        }
        if shape.features == 0 {
            return wrong("the records have no features".to_owned());
        }
        let numbers = u128::from(records) * u128::from(shape.features);
        let stored = match values {
            Values::F32(values) => values.len(),
            Values::U8(values) => values.len(),
            Values::I16(values) => values.len(),
        };
        if stored as u128 != numbers {
            return wrong(format!("{stored} feature values where the shape needs {numbers}"));
        }
        let channels = match shape.form {
            Form::Table => shape.features,
            Form::Image { channels, .. } => channels,
            Form::Signal { leads, .. } => leads,
        };
        if shape.form.features().is_some_and(|features| features != shape.features) {
            return wrong(format!("{} features do not make up their form", shape.features));
        }
        if !scaling.is_empty() && scaling.len() != channels as usize {
            return wrong(format!("{} scales for {channels} channels", scaling.len()));
        }
        for (what, len) in [("labels", labels.records()), ("record units", record_units.len())] {
            if len as u64 != records {
                return wrong(format!("{len} {what} for {records} records"));
            }
        }
        match (labels, shape.targets) {
            (Labels::Class(labels), Targets::Class) => {
                if shape.classes < 2 {
                    return wrong(format!("{} classes: a label needs at least 2", shape.classes));
                }
                if let Some(record) = labels.iter().position(|&label| label >= shape.classes) {
                    let (label, classes) = (labels[record], shape.classes);
                    return wrong(format!(
                        "record {record} has label {label}, but there are {classes} classes"
                    ));
                }
            }
            (Labels::Several(labels, count), Targets::Labels) => {
                if count as u64 != u64::from(shape.classes)
                    || count == 0
                    || !labels.len().is_multiple_of(count)
                {
                    return wrong(format!("{count} labels a record where the shape has {}", shape.classes));
                }
                if let Some(at) = labels.iter().position(|&label| label > 1 && label != Labels::MISSING) {
                    let (record, label) = (at / count, labels[at]);
                    return wrong(format!(
                        "record {record} has a label {label}: it is 0, 1 or 255 for missing"
                    ));
                }
            }
            _ => {
                return wrong("one class a record and several labels a record do not go together".to_owned());
            }
        }
        if let Some(record) = record_units.iter().position(|&unit| u64::from(unit) >= shape.units) {
            let (unit, units) = (record_units[record], shape.units);
            return wrong(format!("record {record} belongs to unit {unit}, but there are {units} units"));
        }
        Ok(Self { shape, values, scaling, labels, record_units })
    }

    /// A data set in its encoded form.
    ///
    /// # Errors
    /// [`TrainError::Data`] for a shape that training does not take.
    pub fn of(dataset: &'a Dataset) -> Result<Self, TrainError> {
        Self::new(dataset.shape(), dataset.features(), dataset.labels(), dataset.record_units())
    }

    /// The shape.
    pub fn shape(&self) -> DataShape {
        self.shape
    }

    /// How many records.
    pub fn records(&self) -> usize {
        self.record_units.len()
    }

    /// Copies one record's numbers, scaled: `value x scale + shift`, rounded once.
    pub fn copy_row(&self, record: usize, into: &mut [f32]) {
        let width = self.shape.features as usize;
        let range = record * width..(record + 1) * width;
        match self.values {
            Values::F32(values) => into.copy_from_slice(&values[range]),
            Values::U8(values) => {
                into.iter_mut().zip(&values[range]).for_each(|(into, &value)| *into = f32::from(value));
            }
            Values::I16(values) => {
                into.iter_mut().zip(&values[range]).for_each(|(into, &value)| *into = f32::from(value));
            }
        }
        if !self.scaling.is_empty() {
            for pixel in into.chunks_exact_mut(self.scaling.len()) {
                for (value, (scale, shift)) in pixel.iter_mut().zip(self.scaling) {
                    *value = value.mul_add(*scale, *shift);
                }
            }
        }
    }

    /// What is known of every record.
    pub fn labels(&self) -> Labels<'a> {
        self.labels
    }

    /// The unit of every record.
    pub fn record_units(&self) -> &'a [u32] {
        self.record_units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(targets: Targets) -> DataShape {
        let form = Form::Image { height: 1, width: 2, channels: 2 };
        DataShape { form, targets, ..DataShape::table(2, 2, 4, 2) }
    }

    #[test]
    fn stored_numbers_are_scaled_channel_by_channel() {
        let scaling = [(0.5, -1.0), (2.0, 0.25)];
        let bytes = [0u8, 1, 2, 255, 4, 5, 6, 7];
        let short: Vec<i16> = bytes.iter().map(|&byte| -i16::from(byte)).collect();
        let float: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
        let row = |values, scaling, record| {
            let labels = Labels::Class(&[0, 1]);
            let data = TrainingData::raw(shape(Targets::Class), values, scaling, labels, &[0, 1]).unwrap();
            let mut row = [0.0; 4];
            data.copy_row(record, &mut row);
            row
        };
        assert_eq!(row(Values::U8(&bytes), &scaling, 0), [-1.0, 2.25, 0.0, 510.25]);
        assert_eq!(row(Values::I16(&short), &scaling, 0), [-1.0, -1.75, -2.0, -509.75]);
        assert_eq!(row(Values::F32(&float), &[], 1), [4.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn what_contradicts_the_shape_is_refused() {
        let values = [0u8; 8];
        let make =
            |targets, scaling: &'static [(f32, f32)], labels: Labels<'static>, units: &'static [u32]| {
                TrainingData::raw(shape(targets), Values::U8(&values), scaling, labels, units).is_ok()
            };
        let several = Labels::Several(&[0, 1, 255, 0], 2);
        assert!(make(Targets::Labels, &[], several, &[0, 1]));
        assert!(!make(Targets::Class, &[], several, &[0, 1]));
        assert!(!make(Targets::Labels, &[], Labels::Class(&[0, 1]), &[0, 1]));
        assert!(!make(Targets::Labels, &[], Labels::Several(&[0, 1, 2, 0], 2), &[0, 1]));
        assert!(!make(Targets::Labels, &[], Labels::Several(&[0, 1, 1, 0], 1), &[0, 1]));
        assert!(!make(Targets::Class, &[(1.0, 0.0)], Labels::Class(&[0, 1]), &[0, 1]));
        assert!(!make(Targets::Class, &[], Labels::Class(&[0, 2]), &[0, 1]));
        assert!(!make(Targets::Class, &[], Labels::Class(&[0, 1]), &[0, 2]));
        assert!(!make(Targets::Class, &[], Labels::Class(&[0]), &[0, 1]));
    }
}
