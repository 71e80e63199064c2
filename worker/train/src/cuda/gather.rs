//! Batches, and what they are varied and masked by.

use super::Cuda;
use super::buffer::{Buffer, Labels, count, word};
use super::driver::{Arg, Driver};
use super::launch::Work;
use super::source::label_size;
use super::uploads::Uploads;
use crate::backend::{Rows, Varied};
use crate::error::TrainError;
use umbra_data::Labels as Known;

/// Bytes of a record's index, and of the sine and cosine it is turned by.
pub(super) const INDEX: usize = size_of::<u32>();
pub(super) const TURN: usize = size_of::<[f64; 2]>();

/// Rooms for what a step sends.
pub(super) struct Sent<D: Driver> {
    pub uploads: Uploads<D>,
    /// Record indices, `[lanes][rows]`.
    pub indices: D::Memory,
    /// Sines and cosines by record.
    pub turns: D::Memory,
}

impl<D: Driver> Sent<D> {
    /// Rooms for at most so many records of all lanes, which may be turned.
    pub fn new(driver: &mut D, most: usize, turns: bool) -> Result<Self, TrainError> {
        let (indices, angles) = (most * INDEX, if turns { most * TURN } else { TURN });
        Ok(Self {
            uploads: Uploads::new(driver, indices.max(angles))?,
            indices: driver.alloc(indices)?,
            turns: driver.alloc(angles)?,
        })
    }
}

impl<D: Driver> Cuda<'_, D> {
    pub(super) fn gather_rows(&mut self, rows: &Rows<'_>, inputs: &Buffer<D>, labels: &Labels<D>) {
        let lanes = self.queue.lanes;
        let sent = self.sent.as_mut().expect("it was prepared for");
        let driver = &mut self.queue.driver;
        let all = || (0..lanes).flat_map(|lane| rows.of(lane));
        sent.uploads.send(driver, &sent.indices, lanes * rows.count * INDEX, |bytes| {
            for (to, row) in bytes.as_chunks_mut().0.iter_mut().zip(all()) {
                *to = row.to_ne_bytes();
            }
        });
        let features = self.source.features;
        let pitch = crate::cpu::pitch(features);
        let channels = self.source.channels;
        let of = [rows.count, rows.count, 0, features, pitch, channels, usize::from(self.source.normalises)];
        let of = of.map(word);
        let kernel = self.source.kernel();
        self.source.send(driver, all().copied());
        let (values, in_order) = self.source.place();
        let indices = Arg::Address(&sent.indices, 0);
        let args = [
            Arg::Words(&of),
            if in_order { Arg::Null } else { indices },
            values,
            Arg::Address(&self.source.scale, 0),
            Arg::Address(&self.source.shift, 0),
            inputs.start(),
            inputs.stride(),
        ];
        let work = Work::of(2 * rows.count * features);
        self.queue.each(kernel, (rows.count, features), work, &args);
        let (width, _) = label_size(self.data.labels());
        let kernel = match self.data.labels() {
            Known::Class(_) => "gather_classes",
            Known::Several { .. } => "gather_several",
        };
        let args = [
            Arg::Words(&of),
            count(width),
            indices,
            Arg::Address(&self.source.labels, 0),
            Arg::Address(&labels.memory, 0),
            Arg::U64(labels.lane as u64),
        ];
        let work = Work::of(2 * rows.count * width);
        self.queue.each(kernel, (1, rows.count * width), work, &args);
        if let Some(varied) = &rows.varied {
            self.vary(rows, varied, inputs);
        }
    }

    fn vary(&mut self, rows: &Rows<'_>, varied: &Varied<'_>, inputs: &Buffer<D>) {
        let sent = self.sent.as_mut().expect("records were sent before");
        let (driver, place) = (&mut self.queue.driver, varied.place + rows.from as u32);
        sent.uploads.words(driver, &self.variation_keys, varied.keys.as_flattened());
        let recipe = varied.variation.recipe();
        if recipe.rotate() > 0.0 {
            let len = self.queue.lanes * rows.count * TURN;
            sent.uploads.send(driver, &sent.turns, len, |bytes| {
                let places = varied.keys.iter().flat_map(|key| (0..rows.count as u32).map(move |i| (key, i)));
                for (to, (key, i)) in bytes.as_chunks_mut::<TURN>().0.iter_mut().zip(places) {
                    let [sine, cosine] = varied.variation.turn(*key, place + i).expect("records are turned");
                    to[..8].copy_from_slice(&sine.to_ne_bytes());
                    to[8..].copy_from_slice(&cosine.to_ne_bytes());
                }
            });
        }
        let [height, width, channels] = varied.variation.size();
        let pitch = crate::cpu::pitch(self.source.features);
        let of = [rows.count, height, width, channels, pitch].map(word);
        let [count, height, width, channels, pitch] = of;
        let image = u32::from(varied.variation.is_image());
        let (flip, shift) = (u32::from(recipe.flip()), recipe.shift());
        let of = [count, height, width, channels, pitch, place, image, flip, shift];
        let amounts = [recipe.contrast(), recipe.brightness(), recipe.scale(), recipe.noise(), recipe.drop()];
        let [contrast, brightness, scale, noise, drop] = amounts.map(|amount| Arg::F32(amount as f32));
        let args = [
            Arg::Words(&of),
            contrast,
            brightness,
            scale,
            noise,
            drop,
            Arg::Address(&self.variation_keys, 0),
            if recipe.rotate() > 0.0 { Arg::Address(&sent.turns, 0) } else { Arg::Null },
            inputs.start(),
            Arg::Address(self.unvaried.as_ref().expect("variations were asked for"), 0),
            inputs.stride(),
        ];
        let work = Work::of(4 * rows.count * self.source.features);
        self.queue.blocks("vary", (rows.count, 256), work, &args);
    }

    /// Sends the keys of masks, unless they are there.
    pub(super) fn send_mask_keys(&mut self, keys: &[[u32; 2]]) {
        if self.masked_by != keys {
            self.masked_by.clone_from_slice(keys);
            let sent = self.sent.as_mut().expect("records were sent before");
            sent.uploads.words(&mut self.queue.driver, &self.mask_keys, keys.as_flattened());
        }
    }
}
