//! Reading a pack's logits.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use zstd::bulk::Decompressor;

use super::LogitsError;
use super::header::{END, FIXED, LogitsHeader};

/// The trailer: offset of the index, number of tiles, magic.
const TRAILER: u64 = 24;

/// The logits of one pack, opened. Several threads may read at once.
pub struct LogitsReader {
    header: LogitsHeader,
    source: Source,
    index: Vec<Range<u64>>,
}

enum Source {
    File(PathBuf),
    Memory(Bytes),
}

impl Source {
    fn length(&self) -> Result<u64, LogitsError> {
        Ok(match self {
            Self::File(path) => std::fs::metadata(path)?.len(),
            Self::Memory(bytes) => bytes.len() as u64,
        })
    }

    /// The bytes of a range that lies within the blob.
    fn bytes(&self, range: Range<u64>) -> Result<Bytes, LogitsError> {
        match self {
            Self::Memory(bytes) => Ok(bytes.slice(range.start as usize..range.end as usize)),
            Self::File(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(range.start))?;
                let mut bytes = vec![0; (range.end - range.start) as usize];
                file.read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

impl LogitsReader {
    /// Opens a file; it is read as needed.
    ///
    /// # Errors
    /// [`LogitsError`] if it cannot be read or is not the logits of a pack.
    pub fn open(path: &Path) -> Result<Self, LogitsError> {
        Self::new(Source::File(path.to_owned()))
    }

    /// Opens bytes in memory.
    ///
    /// # Errors
    /// [`LogitsError`] if they are not the logits of a pack.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, LogitsError> {
        Self::new(Source::Memory(bytes))
    }

    fn new(source: Source) -> Result<Self, LogitsError> {
        let length = source.length()?;
        // The fixed part tells how long the rest of the header is.
        let lost = source.bytes(0..length.min(FIXED as u64))?;
        let lost = lost.get(32..36).ok_or(LogitsError::Damaged("it ends within the header"))?;
        let lost = u64::from(u32::from_le_bytes(std::array::from_fn(|b| lost[b])));
        let head = source.bytes(0..length.min(FIXED as u64 + lost * 4))?;
        let (header, start) = LogitsHeader::decode(&head)?;
        let index = index(&source, length, &header, start as u64)?;
        Ok(Self { header, source, index })
    }

    /// The shape.
    pub fn header(&self) -> &LogitsHeader {
        &self.header
    }

    /// Fills `out` with the logits of `records`, `[record][query][class][shadow of the pack]`.
    ///
    /// # Errors
    /// [`LogitsError`] if the range or the buffer does not fit, or a tile is damaged.
    pub fn read(&self, records: Range<u64>, out: &mut [f32]) -> Result<(), LogitsError> {
        let (row, tile_records) = (self.header.row(), self.header.tile_records());
        let wrong = LogitsError::Range { start: records.start, end: records.end };
        if records.start > records.end || records.end > self.header.records {
            return Err(wrong);
        }
        if out.len() as u64 != (records.end - records.start) * row as u64 {
            return Err(wrong);
        }
        let (mut values, mut decompressor) = (Vec::new(), Decompressor::new()?);
        let mut at = records.start;
        while at < records.end {
            let tile = at / tile_records;
            let first = tile * tile_records;
            let end = records.end.min(first + tile_records);
            self.tile(tile, &mut decompressor, &mut values)?;
            let from = (at - first) as usize * row * 4;
            let target = (at - records.start) as usize * row;
            let count = (end - at) as usize * row;
            let floats = values[from..from + count * 4].chunks_exact(4);
            for (value, bytes) in out[target..target + count].iter_mut().zip(floats) {
                *value = f32::from_le_bytes(std::array::from_fn(|b| bytes[b]));
            }
            at = end;
        }
        Ok(())
    }

    fn tile(
        &self,
        tile: u64,
        decompressor: &mut Decompressor<'_>,
        values: &mut Vec<u8>,
    ) -> Result<(), LogitsError> {
        let records =
            (self.header.records - tile * self.header.tile_records()).min(self.header.tile_records());
        let size = records as usize * self.header.row() * 4;
        let compressed = self.source.bytes(self.index[tile as usize].clone())?;
        values.resize(size, 0);
        let found = decompressor.decompress_to_buffer(&compressed, values);
        match found {
            Ok(found) if found == size => Ok(()),
            _ => Err(LogitsError::Damaged("a tile does not decompress to its size")),
        }
    }
}

fn index(
    source: &Source,
    length: u64,
    header: &LogitsHeader,
    start: u64,
) -> Result<Vec<Range<u64>>, LogitsError> {
    let tiles = header.tiles();
    let damaged = LogitsError::Damaged;
    let trailer = length.checked_sub(TRAILER).ok_or(damaged("it ends early"))?;
    let bytes = source.bytes(trailer..length)?;
    let number = |i: usize| u64::from_le_bytes(std::array::from_fn(|b| bytes[i * 8 + b]));
    let (at, count) = (number(0), number(1));
    let size = tiles.checked_mul(16).ok_or(damaged("it has too many tiles"))?;
    let whole = count == tiles && at >= start && at.checked_add(size) == Some(trailer);
    if bytes[16..] != END[..] || !whole {
        return Err(damaged("its index is not where it should be"));
    }
    let bytes = source.bytes(at..trailer)?;
    let mut next = start;
    let mut index = Vec::with_capacity(tiles as usize);
    for entry in bytes.chunks_exact(16) {
        let number = |i: usize| u64::from_le_bytes(std::array::from_fn(|b| entry[i * 8 + b]));
        let end = number(0).checked_add(number(1)).filter(|&end| end <= at);
        match end {
            Some(end) if number(0) == next => {
                index.push(next..end);
                next = end;
            }
            _ => return Err(damaged("its tiles do not follow one another")),
        }
    }
    if next != at {
        return Err(damaged("there are bytes between its tiles and its index"));
    }
    Ok(index)
}
