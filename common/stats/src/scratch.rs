//! Room for what does not fit in memory while an analysis runs, and is of no use afterwards.
//!
//! The statistics know no file system: whoever runs them lends the room, in files or in memory. Nothing
//! found depends on which.

use std::sync::{PoisonError, RwLock};

use crate::error::SourceError;

/// Lends regions of room.
pub trait Scratch: Sync {
    /// A new, empty region for `what` (words for an error message, such as "scores"). Its room is given
    /// back when it is dropped.
    ///
    /// # Errors
    /// If there is no room.
    fn region(&self, what: &str) -> Result<Box<dyn Region>, SourceError>;

    /// Whether the room is memory anyway, so that none is spared by using it.
    fn is_memory(&self) -> bool {
        false
    }
}

/// Bytes by offset, written and read by several threads at once.
///
/// A range is read only after it was written, and no byte is written by one thread while another reads or
/// writes it: the caller's duty. What lies between ranges that were written takes no room where that can
/// be avoided.
pub trait Region: Send + Sync {
    /// Keeps `bytes` from `offset` on.
    ///
    /// # Errors
    /// If they cannot be kept, as when the room is used up.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), SourceError>;

    /// Fills `bytes` with what was written from `offset` on.
    ///
    /// # Errors
    /// If it cannot be read, or lies beyond all that was written.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), SourceError>;
}

/// Scratch room in memory, as much as is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryScratch;

impl Scratch for MemoryScratch {
    fn region(&self, _: &str) -> Result<Box<dyn Region>, SourceError> {
        Ok(Box::new(MemoryRegion::default()))
    }

    fn is_memory(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct MemoryRegion(RwLock<Vec<u8>>);

impl Region for MemoryRegion {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), SourceError> {
        let range = range(offset, bytes.len())?;
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.len() < range.end {
            held.resize(range.end, 0);
        }
        held[range].copy_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), SourceError> {
        let range = range(offset, bytes.len())?;
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = held.get(range).ok_or_else(|| {
            SourceError::new(format!("{} bytes at {offset} were never written to scratch", bytes.len()))
        })?;
        bytes.copy_from_slice(found);
        Ok(())
    }
}

fn range(offset: u64, length: usize) -> Result<std::ops::Range<usize>, SourceError> {
    usize::try_from(offset)
        .ok()
        .and_then(|start| Some(start..start.checked_add(length)?))
        .ok_or_else(|| SourceError::new(format!("byte {offset} of scratch is beyond any memory")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_wherever_and_in_whatever_order_they_were_written() {
        let region = MemoryScratch.region("rows").unwrap();
        for row in [3u8, 0, 2, 1] {
            region.write_at(u64::from(row) * 5, &[row; 5]).unwrap();
        }
        region.write_at(7, &[9]).unwrap();
        let mut found = [0; 10];
        region.read_at(4, &mut found).unwrap();
        assert_eq!(found, [0, 1, 1, 9, 1, 1, 2, 2, 2, 2]);
        assert!(region.read_at(15, &mut found).is_err(), "past the end");
        assert!(region.read_at(u64::MAX, &mut found).is_err());
        let other = MemoryScratch.region("others").unwrap();
        assert!(other.read_at(0, &mut found[..1]).is_err(), "regions are apart");
    }
}
