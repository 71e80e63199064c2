//! The encoded data a pack is trained and queried on, as slices that outlive the run.

use umbra_core::shape::{DataShape, Form};
use umbra_data::Dataset;

use crate::error::TrainError;

/// An encoded data set in memory (or mapped into it); every worker sees the same records in the same,
/// canonical order.
#[derive(Debug, Clone, Copy)]
pub struct TrainingData<'a> {
    shape: DataShape,
    features: &'a [f32],
    labels: &'a [u32],
    record_units: &'a [u32],
}

impl<'a> TrainingData<'a> {
    /// Wraps `features` (`[records][features]`, row-major), `labels` (`[records]`, below `shape.classes`)
    /// and `record_units` (`[records]`, below `shape.units`).
    ///
    /// # Errors
    /// [`TrainError::Data`] where a length, a label or a unit contradicts the shape.
    pub fn new(
        shape: DataShape,
        features: &'a [f32],
        labels: &'a [u32],
        record_units: &'a [u32],
    ) -> Result<Self, TrainError> {
        let wrong = |message: String| Err(TrainError::Data(message));
        let records = shape.records;
        if records == 0 || records > u64::from(u32::MAX) {
            return wrong(format!("{records} records: training takes 1 to {}", u32::MAX));
        }
        if shape.classes < 2 {
            return wrong(format!("{} classes: a label needs at least 2", shape.classes));
        }
        if shape.features == 0 {
            return wrong("the records have no features".to_owned());
        }
        let numbers = u128::from(records) * u128::from(shape.features);
        if features.len() as u128 != numbers {
            return wrong(format!("{} feature values where the shape needs {numbers}", features.len()));
        }
        for (what, len) in [("labels", labels.len()), ("record units", record_units.len())] {
            if len as u64 != records {
                return wrong(format!("{len} {what} for {records} records"));
            }
        }
        if let Some(record) = labels.iter().position(|&label| label >= shape.classes) {
            let (label, classes) = (labels[record], shape.classes);
            return wrong(format!("record {record} has label {label}, but there are {classes} classes"));
        }
        if let Some(record) = record_units.iter().position(|&unit| u64::from(unit) >= shape.units) {
            let (unit, units) = (record_units[record], shape.units);
            return wrong(format!("record {record} belongs to unit {unit}, but there are {units} units"));
        }
        Ok(Self { shape, features, labels, record_units })
    }

    /// A data set in its encoded form.
    ///
    /// # Errors
    /// [`TrainError::Data`] for a shape that training does not take.
    pub fn of(dataset: &'a Dataset) -> Result<Self, TrainError> {
        let labels = dataset.labels().classes().filter(|_| dataset.shape().form == Form::Table);
        let labels = labels.ok_or_else(|| {
            let what = "training takes tables with one class a record so far: audit a table";
            TrainError::Data(what.to_owned())
        })?;
        Self::new(dataset.shape(), dataset.features(), labels, dataset.record_units())
    }

    /// The shape.
    pub fn shape(&self) -> DataShape {
        self.shape
    }

    /// How many records.
    pub fn records(&self) -> usize {
        self.labels.len()
    }

    /// One record's features.
    pub fn row(&self, record: usize) -> &'a [f32] {
        let width = self.shape.features as usize;
        &self.features[record * width..][..width]
    }

    /// The class of every record.
    pub fn labels(&self) -> &'a [u32] {
        self.labels
    }

    /// The unit of every record.
    pub fn record_units(&self) -> &'a [u32] {
        self.record_units
    }
}
