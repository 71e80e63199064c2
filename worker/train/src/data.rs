//! The encoded data a pack is trained and queried on, as slices that outlive the run.

use std::sync::LazyLock;

use umbra_core::shape::{DataShape, Form, Targets};
use umbra_data::gather::normalised;
use umbra_data::{Dataset, Labels, Normalisation, UNKNOWN, Values};

use crate::error::TrainError;

/// The normalisation of tables.
static AS_THEY_ARE: LazyLock<Normalisation> = LazyLock::new(Normalisation::identity);

/// An encoded data set in memory (or mapped into it); every worker sees the same records in the same,
/// canonical order.
#[derive(Debug, Clone, Copy)]
pub struct TrainingData<'a> {
    shape: DataShape,
    values: Values<'a>,
    normalisation: &'a Normalisation,
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
        Self::raw(shape, Values::F32(features), &AS_THEY_ARE, Labels::Class(labels), record_units)
    }

    /// Wraps `values` (`[records][features]`, row-major) with their normalisation, `labels` (classes below
    /// `shape.classes`, or `shape.classes` labels each) and `record_units` (`[records]`, below `shape.units`).
    ///
    /// # Errors
    /// [`TrainError::Data`] where a length, a label or a unit contradicts the shape.
    pub fn raw(
        shape: DataShape,
        values: Values<'a>,
        normalisation: &'a Normalisation,
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
        let stored = values.len();
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
        let scales = normalisation.scale().len();
        if scales != 1 && scales != channels as usize {
            return wrong(format!("{scales} scales for {channels} channels"));
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
            (Labels::Several { labels, count }, Targets::Labels) => {
                if count as u64 != u64::from(shape.classes)
                    || count == 0
                    || !labels.len().is_multiple_of(count)
                {
                    return wrong(format!("{count} labels a record where the shape has {}", shape.classes));
                }
                if let Some(at) = labels.iter().position(|&label| label > 1 && label != UNKNOWN) {
                    let (record, label) = (at / count, labels[at]);
                    return wrong(format!(
                        "record {record} has a label {label}: it is 0, 1, or 255 where it is not known"
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
        Ok(Self { shape, values, normalisation, labels, record_units })
    }

    /// A data set in its encoded form.
    ///
    /// # Errors
    /// [`TrainError::Data`] for a shape that training does not take.
    pub fn of(dataset: &'a Dataset) -> Result<Self, TrainError> {
        let normalisation = dataset.normalisation();
        Self::raw(dataset.shape(), dataset.values(), normalisation, dataset.labels(), dataset.record_units())
    }

    /// The shape.
    pub fn shape(&self) -> DataShape {
        self.shape
    }

    /// How many records.
    pub fn records(&self) -> usize {
        self.record_units.len()
    }

    /// Gathers the numbers of records, normalised, into rows of `pitch`.
    pub fn gather(&self, rows: &[u32], pitch: usize, into: &mut [f32]) {
        normalised(self.values, self.normalisation, self.shape.features as usize, rows, pitch, into);
    }

    /// All numbers, as they are stored.
    pub fn values(&self) -> Values<'a> {
        self.values
    }

    /// How numbers are normalised.
    pub fn normalisation(&self) -> &'a Normalisation {
        self.normalisation
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
    use umbra_data::Channel;

    fn shape(targets: Targets) -> DataShape {
        let form = Form::Image { height: 1, width: 2, channels: 2 };
        DataShape { form, targets, ..DataShape::table(2, 2, 4, 2) }
    }

    #[test]
    fn stored_numbers_are_normalised_channel_by_channel() {
        let channel = |mean, sd| Channel { name: String::new(), mean, sd };
        let normalisation = Normalisation::of(&[channel(2.0, 2.0), channel(-0.125, 0.5)]);
        let bytes = [0u8, 1, 2, 255, 4, 5, 6, 7];
        let short: Vec<i16> = bytes.iter().map(|&byte| -i16::from(byte)).collect();
        let row = |values, record: u32| {
            let labels = Labels::Class(&[0, 1]);
            let shape = shape(Targets::Class);
            let data = TrainingData::raw(shape, values, &normalisation, labels, &[0, 1]).unwrap();
            let mut row = [9.0; 5];
            data.gather(&[record], 5, &mut row);
            row
        };
        assert_eq!(row(Values::U8(&bytes), 0), [-1.0, 2.25, 0.0, 510.25, 9.0]);
        assert_eq!(row(Values::I16(&short), 0), [-1.0, -1.75, -2.0, -509.75, 9.0]);
    }

    #[test]
    fn what_contradicts_the_shape_is_refused() {
        let values = [0u8; 8];
        let make = |targets, labels: Labels<'static>, units: &'static [u32]| {
            TrainingData::raw(shape(targets), Values::U8(&values), &AS_THEY_ARE, labels, units).is_ok()
        };
        let several = |labels: &'static [u8], count| Labels::Several { labels, count };
        assert!(make(Targets::Labels, several(&[0, 1, 255, 0], 2), &[0, 1]));
        assert!(!make(Targets::Class, several(&[0, 1, 255, 0], 2), &[0, 1]));
        assert!(!make(Targets::Labels, Labels::Class(&[0, 1]), &[0, 1]));
        assert!(!make(Targets::Labels, several(&[0, 1, 2, 0], 2), &[0, 1]));
        assert!(!make(Targets::Labels, several(&[0, 1, 1, 0], 1), &[0, 1]));
        assert!(!make(Targets::Class, Labels::Class(&[0, 2]), &[0, 1]));
        assert!(!make(Targets::Class, Labels::Class(&[0, 1]), &[0, 2]));
        assert!(!make(Targets::Class, Labels::Class(&[0]), &[0, 1]));
        let three = [0; 3].map(|_| Channel { name: String::new(), mean: 0.0, sd: 1.0 });
        let (three, labels) = (Normalisation::of(&three), Labels::Class(&[0, 1]));
        let values = Values::U8(&values);
        assert!(TrainingData::raw(shape(Targets::Class), values, &three, labels, &[0, 1]).is_err());
    }
}
