//! The frame of what a run writes to go on from, or to be asked again: a magic and a version, whose it is, and at the
//! end the SHA-256 of all bytes before it. Integers and floats are little-endian; nothing of the machine is in it.

use umbra_core::digest::Digest;

use super::checkpoint::CheckpointError;

const DIGEST: usize = 32;

/// What is framed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub magic: &'static [u8; 8],
    /// The latest version.
    pub version: u32,
}

impl Format {
    /// Whether bytes claim to be of it.
    pub fn begins(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(self.magic)
    }
}

/// Writes what is framed.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Replaces what `out` holds.
    pub fn new(out: &'a mut Vec<u8>, format: Format, identity: &Digest) -> Self {
        out.clear();
        out.extend_from_slice(format.magic);
        out.extend_from_slice(&format.version.to_le_bytes());
        out.extend_from_slice(identity.as_bytes());
        Self { out }
    }

    pub fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub fn floats(&mut self, values: &[f32]) {
        self.out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    pub fn finish(self) {
        let digest = Digest::of(self.out);
        self.out.extend_from_slice(digest.as_bytes());
    }
}

/// Reads what is framed; nothing in it is believed.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    version: u32,
}

impl<'a> Reader<'a> {
    pub fn open(bytes: &'a [u8], format: Format, identity: &Digest) -> Result<Self, CheckpointError> {
        let mut reader = Self { bytes, version: 0 };
        if reader.take(format.magic.len()) != Ok(format.magic) {
            return Err(CheckpointError::NotACheckpoint);
        }
        reader.version = reader.u32()?;
        if !(1..=format.version).contains(&reader.version) {
            return Err(CheckpointError::Version { found: reader.version, known: format.version });
        }
        let Some((body, digest)) = bytes.split_last_chunk::<DIGEST>() else {
            return Err(CheckpointError::Damaged("it is too short"));
        };
        if Digest::of(body).as_bytes() != digest {
            return Err(CheckpointError::Damaged("its digest does not match"));
        }
        if reader.take(DIGEST)? != identity.as_bytes() {
            return Err(CheckpointError::OtherJob);
        }
        reader.bytes = reader
            .bytes
            .strip_suffix(digest.as_slice())
            .ok_or(CheckpointError::Damaged("it is too short"))?;
        Ok(reader)
    }

    /// The version that was written.
    pub fn version(&self) -> u32 {
        self.version
    }

    pub fn floats(&mut self, values: &mut [f32]) -> Result<(), CheckpointError> {
        let bytes = self.take(size_of_val(values))?;
        for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
        Ok(())
    }

    pub fn finish(self) -> Result<(), CheckpointError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(CheckpointError::Damaged("it is too long")) }
    }

    pub fn count(&mut self, most: usize) -> Result<usize, CheckpointError> {
        let count = self.u32()? as usize;
        if count > most { Err(CheckpointError::Damaged("a count")) } else { Ok(count) }
    }

    pub fn u8(&mut self) -> Result<u8, CheckpointError> {
        Ok(self.take(1)?[0])
    }

    pub fn u32(&mut self) -> Result<u32, CheckpointError> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, CheckpointError> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CheckpointError> {
        let (head, rest) =
            self.bytes.split_first_chunk::<N>().ok_or(CheckpointError::Damaged("it is too short"))?;
        self.bytes = rest;
        Ok(*head)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CheckpointError> {
        let (head, rest) =
            self.bytes.split_at_checked(len).ok_or(CheckpointError::Damaged("it is too short"))?;
        self.bytes = rest;
        Ok(head)
    }
}
