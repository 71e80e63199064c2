//! One way to batches, whether records are in memory or not.

use std::collections::VecDeque;

use super::normalise::{all_normalised, normalised};
use super::rows::rows as copy_rows;
use super::streamed::Streamed;
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::mmap::{stored, stored_mut};
use crate::values::{Normalisation, Number, Values};

/// Batches of a data set's records.
#[derive(Debug)]
pub struct Gather<'d> {
    values: Values<'d>,
    normalisation: &'d Normalisation,
    features: usize,
    records: usize,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Resident {
        announced: VecDeque<Vec<u32>>,
        /// Lists to be used again.
        spare: Vec<Vec<u32>>,
    },
    Streamed(Streamed),
}

impl<'d> Gather<'d> {
    /// From memory, or what is mapped into it.
    pub fn resident(dataset: &'d Dataset) -> Self {
        Self::new(dataset, Source::Resident { announced: VecDeque::new(), spare: Vec::new() })
    }

    /// From the file, by a thread that reads ahead. Takes as much memory as the batches that are announced.
    /// A data set that is no file but in memory is gathered from there.
    ///
    /// # Errors
    /// [`DataError::Io`] if the file cannot be opened again or no thread can be had.
    pub fn streamed(dataset: &'d Dataset) -> Result<Self, DataError> {
        let Some((file, start)) = dataset.file() else { return Ok(Self::resident(dataset)) };
        let (number, features) = (dataset.values().number(), dataset.shape().features as usize);
        let streamed = file.try_clone().and_then(|file| Streamed::start(file, start, number, features));
        let failed = |source| DataError::Io { path: "the data set".to_owned(), source };
        Ok(Self::new(dataset, Source::Streamed(streamed.map_err(failed)?)))
    }

    fn new(dataset: &'d Dataset, source: Source) -> Self {
        let shape = dataset.shape();
        Self {
            values: dataset.values(),
            normalisation: dataset.normalisation(),
            features: shape.features as usize,
            records: shape.records as usize,
            source,
        }
    }

    /// How records are stored.
    pub fn number(&self) -> Number {
        self.values.number()
    }

    /// Numbers of a record.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Says which records the next batch holds that nobody announced yet. Announce one batch ahead of the one
    /// that is taken, and reading goes on beside the work.
    ///
    /// # Panics
    /// If a row is no record.
    pub fn announce(&mut self, rows: &[u32]) {
        assert!(rows.iter().all(|&row| (row as usize) < self.records), "rows are records");
        match &mut self.source {
            Source::Resident { announced, spare } => {
                let mut list = spare.pop().unwrap_or_default();
                list.clear();
                list.extend_from_slice(rows);
                announced.push_back(list);
            }
            Source::Streamed(streamed) => streamed.announce(rows),
        }
    }

    /// Writes the batch that was announced first and is not taken yet into `out` as a model is given it: row
    /// `i` at `i * pitch`, normalised, up to the next row left as it is. Gives the number of its rows, 0 where
    /// none was announced.
    ///
    /// # Errors
    /// [`DataError::Io`] if records cannot be read.
    ///
    /// # Panics
    /// If `pitch` is less than [`Gather::features`], or `out` ends before the last row does.
    pub fn take(&mut self, pitch: usize, out: &mut [f32]) -> Result<usize, DataError> {
        let (features, normalisation) = (self.features, self.normalisation);
        match &mut self.source {
            Source::Resident { announced, spare } => {
                let Some(rows) = announced.pop_front() else { return Ok(0) };
                normalised(self.values, normalisation, features, &rows, pitch, out);
                let count = rows.len();
                spare.push(rows);
                Ok(count)
            }
            Source::Streamed(streamed) => streamed.take(|values| {
                all_normalised(values, normalisation, features, pitch, out);
                values.len() / features
            }),
        }
    }

    /// Writes the batch that was announced first and is not taken yet into `out` as it is stored,
    /// `[rows][features]` little-endian numbers of the type [`Gather::number`]. Gives the number of its rows,
    /// 0 where none was announced.
    ///
    /// # Errors
    /// [`DataError::Io`] if records cannot be read.
    ///
    /// # Panics
    /// If `out` is shorter than the batch.
    pub fn take_stored(&mut self, out: &mut [u8]) -> Result<usize, DataError> {
        let row = self.features * self.number().bytes();
        match &mut self.source {
            Source::Resident { announced, spare } => {
                let Some(rows) = announced.pop_front() else { return Ok(0) };
                copy_rows(bytes_of(self.values), row, &rows, &mut out[..rows.len() * row]);
                let count = rows.len();
                spare.push(rows);
                Ok(count)
            }
            Source::Streamed(streamed) => streamed.take(|values| {
                let bytes = bytes_of(values);
                out[..bytes.len()].copy_from_slice(bytes);
                bytes.len() / row
            }),
        }
    }
}

fn bytes_of(values: Values<'_>) -> &[u8] {
    match values {
        Values::F32(values) => stored(values),
        Values::U8(values) => values,
        Values::I16(values) => stored(values),
    }
}

/// Numbers of their own.
#[derive(Debug)]
pub(super) enum Owned {
    F32(Vec<f32>),
    U8(Vec<u8>),
    I16(Vec<i16>),
}

impl Owned {
    pub(super) fn new(number: Number) -> Self {
        match number {
            Number::F32 => Self::F32(Vec::new()),
            Number::U8 => Self::U8(Vec::new()),
            Number::I16 => Self::I16(Vec::new()),
        }
    }

    /// The bytes of `count` numbers, to be filled.
    pub(super) fn fill(&mut self, count: usize) -> &mut [u8] {
        match self {
            Self::F32(values) => {
                values.resize(count, 0.0);
                stored_mut(values)
            }
            Self::U8(values) => {
                values.resize(count, 0);
                values
            }
            Self::I16(values) => {
                values.resize(count, 0);
                stored_mut(values)
            }
        }
    }

    pub(super) fn view(&self) -> Values<'_> {
        match self {
            Self::F32(values) => Values::F32(values),
            Self::U8(values) => Values::U8(values),
            Self::I16(values) => Values::I16(values),
        }
    }
}
