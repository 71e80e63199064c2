//! Where batches come from: a data set that lies on the device, or one that comes to it batch by batch.

use umbra_data::{Labels, Values};

use super::driver::{Arg, Driver};
use crate::data::TrainingData;
use crate::error::TrainError;

/// How a device holds the data set. No result depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// All of it, as it is stored.
    Resident,
    /// Only the records of a batch, sent while the device works on the batch before.
    Streamed,
}

/// Bytes that a device takes to hold a data set, and per record of a batch; labels are always there.
pub(super) fn held_bytes(data: &TrainingData<'_>, held: Held) -> (u64, u64) {
    let (width, size) = label_size(data.labels());
    let number = data.values().number().bytes();
    let labels = data.records() * width * size;
    let (values, record) = (data.values().len() * number, data.shape().features as usize * number);
    let (values, record) = if held == Held::Resident { (values, 0) } else { (0, record) };
    let channels = 2 * data.normalisation().scale().len() * size_of::<f32>();
    ((labels + values + channels) as u64, record as u64)
}

/// Labels of a record and bytes of a label.
pub(super) fn label_size(labels: Labels<'_>) -> (usize, usize) {
    match labels {
        Labels::Class(_) => (1, size_of::<u32>()),
        Labels::Several { count, .. } => (count, 1),
    }
}

/// Values on the device.
pub(super) enum Place<D: Driver> {
    Resident(D::Memory),
    Streamed(Streamed<D>),
}

/// Two host buffers that take turns, and the device's copy of the latest.
pub(super) struct Streamed<D: Driver> {
    pinned: [D::Pinned; 2],
    sent: [Option<D::Event>; 2],
    turn: usize,
    memory: D::Memory,
    bytes: usize,
}

/// A data set on the device.
pub(super) struct Source<'d, D: Driver> {
    values: Values<'d>,
    pub features: usize,
    held: Held,
    place: Option<Place<D>>,
    pub labels: D::Memory,
    pub scale: D::Memory,
    pub shift: D::Memory,
    /// Channels that have a factor and a shift of their own.
    pub channels: usize,
    pub normalises: bool,
}

impl<'d, D: Driver> Source<'d, D> {
    pub(super) fn new(driver: &mut D, data: TrainingData<'d>, held: Held) -> Result<Self, TrainError> {
        let labels = match data.labels() {
            Labels::Class(all) => sent(driver, all, u32::to_ne_bytes)?,
            Labels::Several { labels, .. } => sent(driver, labels, u8::to_ne_bytes)?,
        };
        let normalisation = data.normalisation();
        let (channels, normalises) = (normalisation.scale().len(), !normalisation.is_identity());
        let scale = sent(driver, normalisation.scale(), f32::to_ne_bytes)?;
        let shift = sent(driver, normalisation.shift(), f32::to_ne_bytes)?;
        let values = data.values();
        let place = match held {
            Held::Streamed => None,
            Held::Resident => Some(Place::Resident(match values {
                Values::U8(all) => sent(driver, all, u8::to_ne_bytes)?,
                Values::I16(all) => sent(driver, all, i16::to_ne_bytes)?,
                Values::F32(all) => sent(driver, all, f32::to_ne_bytes)?,
            })),
        };
        let features = data.shape().features as usize;
        Ok(Self { values, features, held, place, labels, scale, shift, channels, normalises })
    }

    /// The kernel that gathers such values.
    pub(super) fn kernel(&self) -> &'static str {
        match self.values {
            Values::F32(_) => "gather_f32",
            Values::U8(_) => "gather_u8",
            Values::I16(_) => "gather_i16",
        }
    }

    /// Makes room for batches of at most so many records of all lanes.
    pub(super) fn prepare(&mut self, driver: &mut D, most: usize) -> Result<(), TrainError> {
        if self.held == Held::Streamed {
            let bytes = (most * self.features * self.values.number().bytes()).next_multiple_of(4);
            let pinned = [driver.alloc_pinned(bytes)?, driver.alloc_pinned(bytes)?];
            let memory = driver.alloc(bytes)?;
            self.place =
                Some(Place::Streamed(Streamed { pinned, sent: [None, None], turn: 0, memory, bytes }));
        }
        Ok(())
    }

    /// Sends the values of `rows` if need be.
    pub(super) fn send(&mut self, driver: &mut D, rows: impl Iterator<Item = u32>) {
        if let Some(Place::Streamed(streamed)) = &mut self.place {
            streamed.send(driver, self.values, self.features, rows);
        }
    }

    /// Where the values of the rows that were sent are, and whether they lie there in that order.
    pub(super) fn place(&self) -> (Arg<'_, D::Memory>, bool) {
        match self.place.as_ref().expect("it was prepared for") {
            Place::Resident(memory) => (Arg::Address(memory, 0), false),
            Place::Streamed(streamed) => (Arg::Address(&streamed.memory, 0), true),
        }
    }
}

impl<D: Driver> Streamed<D> {
    fn send(&mut self, driver: &mut D, values: Values<'_>, features: usize, rows: impl Iterator<Item = u32>) {
        self.turn ^= 1;
        // What was sent from this buffer two batches ago has left it.
        if let Some(event) = self.sent[self.turn].take() {
            driver.wait(&event);
        }
        let to = driver.pinned(&mut self.pinned[self.turn]);
        let record = features * values.number().bytes();
        let mut end = 0;
        for (row, to) in rows.zip(to[..self.bytes].chunks_exact_mut(record)) {
            let from = row as usize * features..(row as usize + 1) * features;
            match values {
                Values::U8(all) => to.copy_from_slice(&all[from]),
                Values::I16(all) => copy(&all[from], to, i16::to_ne_bytes),
                Values::F32(all) => copy(&all[from], to, f32::to_ne_bytes),
            }
            end += record;
        }
        driver.upload(&self.pinned[self.turn], 0..end, &self.memory, 0);
        self.sent[self.turn] = Some(driver.record());
    }
}

fn copy<T: Copy, const N: usize>(from: &[T], to: &mut [u8], bytes: impl Fn(T) -> [u8; N]) {
    for (to, &value) in to.chunks_exact_mut(N).zip(from) {
        to.copy_from_slice(&bytes(value));
    }
}

/// Device memory that holds all of these numbers. They are sent in pieces, so that the host holds no second copy of a
/// data set.
fn sent<D: Driver, T: Copy, const N: usize>(
    driver: &mut D,
    all: &[T],
    bytes: impl Fn(T) -> [u8; N],
) -> Result<D::Memory, TrainError> {
    const PIECE: usize = 1 << 24;
    let memory = driver.alloc((all.len() * N).max(1).next_multiple_of(4))?;
    let mut piece = Vec::new();
    let mut at = 0;
    for some in all.chunks(PIECE / N) {
        piece.resize(some.len() * N, 0);
        copy(some, &mut piece, &bytes);
        driver.upload_now(&piece, &memory, at);
        at += piece.len() as u64;
    }
    Ok(memory)
}
