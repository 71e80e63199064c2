//! The weights of a whole pack: what other queries can be put to without training again.
//!
//! Layout within its [frame](super::frame): per shadow of the pack a state (u8: 1 trained, 2 lost) and, if trained, the
//! attempt that was (u32) and its parameters in PyTorch's order: those it answers with, the moving average where there
//! is one.

use std::collections::BTreeMap;
use std::ops::Range;

use umbra_core::digest::Digest;

use super::checkpoint::CheckpointError;
use super::frame::{Format, Reader, Writer};

const FORMAT: Format = Format { magic: b"UMBRAWTS", version: 1 };
/// In checkpoints.
const MISSING: u8 = 0;
const TRAINED: u8 = 1;
const LOST: u8 = 2;

/// A shadow and the attempt at it.
pub(super) type Attempt = (u32, u32);

/// The weights of shadows that are done, for the pack's end.
#[derive(Debug, Default, Clone)]
pub(super) struct Collected(BTreeMap<u32, (u32, Vec<f32>)>);

impl Collected {
    pub fn put(&mut self, (shadow, attempt): Attempt, values: Vec<f32>) {
        self.0.insert(shadow, (attempt, values));
    }

    /// Into a checkpoint: whether there are any of a shadow, and these.
    pub fn write(&self, writer: &mut Writer<'_>, shadow: u32) {
        match self.0.get(&shadow) {
            Some(kept) => write_trained(writer, kept),
            None => writer.u8(MISSING),
        }
    }

    /// Out of a checkpoint.
    pub fn read(
        &mut self,
        reader: &mut Reader<'_>,
        shadow: u32,
        parameters: usize,
    ) -> Result<(), CheckpointError> {
        if reader.u8()? == TRAINED {
            let (attempt, values) = read_trained(reader, parameters)?;
            self.put((shadow, attempt), values);
        }
        Ok(())
    }

    /// The weights of all shadows of a pack but the lost ones; none if some are missing.
    pub fn encode(&self, identity: &Digest, shadows: Range<u32>, lost: &[u32]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, FORMAT, identity);
        for shadow in shadows {
            match self.0.get(&shadow) {
                Some(kept) => write_trained(&mut writer, kept),
                None if lost.contains(&shadow) => writer.u8(LOST),
                None => return None,
            }
        }
        writer.finish();
        Some(out)
    }
}

/// A pack's shadows as they were trained for other queries.
pub(super) struct Trained {
    pub weights: BTreeMap<Attempt, Vec<f32>>,
    pub lost: Vec<u32>,
}

impl Trained {
    /// Whether bytes claim to be a pack's weights.
    pub fn is(bytes: &[u8]) -> bool {
        FORMAT.begins(bytes)
    }

    pub fn open(
        bytes: &[u8],
        identity: &Digest,
        shadows: Range<u32>,
        parameters: usize,
    ) -> Result<Self, CheckpointError> {
        let mut reader = Reader::open(bytes, FORMAT, identity)?;
        let mut trained = Self { weights: BTreeMap::new(), lost: Vec::new() };
        for shadow in shadows {
            match reader.u8()? {
                TRAINED => {
                    let (attempt, values) = read_trained(&mut reader, parameters)?;
                    trained.weights.insert((shadow, attempt), values);
                }
                LOST => trained.lost.push(shadow),
                _ => return Err(CheckpointError::Damaged("the state of a shadow")),
            }
        }
        reader.finish()?;
        Ok(trained)
    }
}

/// The state of a shadow that was trained, the attempt that was, and its parameters.
fn write_trained(writer: &mut Writer<'_>, (attempt, values): &(u32, Vec<f32>)) {
    writer.u8(TRAINED);
    writer.u32(*attempt);
    writer.floats(values);
}

/// What comes after that state.
fn read_trained(reader: &mut Reader<'_>, parameters: usize) -> Result<(u32, Vec<f32>), CheckpointError> {
    let attempt = reader.u32()?;
    if attempt > 1 {
        return Err(CheckpointError::Damaged("its shadows"));
    }
    let mut values = vec![0.0; parameters];
    reader.floats(&mut values)?;
    Ok((attempt, values))
}
