//! Numbers for names, in the order in which names first come.

use std::path::Path;

use rayon::slice::ParallelSliceMut as _;
use umbra_runtime::{Mapped, ScratchError};

/// What stands for a record's name, equal for equal names alone; and behind it the record.
pub type Entry = [u64; 3];

/// The numbers of all records, and of every number the record where its name first comes.
#[derive(Debug)]
pub struct Numbering {
    /// By record.
    pub of_record: Mapped<u32>,
    /// By number.
    pub first: Mapped<u32>,
}

impl Numbering {
    /// From an entry a record. Sorted in place, so that it takes no memory of its own.
    ///
    /// # Errors
    /// If there is no scratch room.
    pub fn of(mut entries: Mapped<Entry>, folder: &Path) -> Result<Self, ScratchError> {
        let records = entries.len();
        entries.par_sort_unstable();
        let mut of_record = Mapped::<u32>::zeroes(folder, "the unit of every record", records)?;
        // In place of the number, the first record of that name.
        for same in entries.chunk_by(|a, b| a[..2] == b[..2]) {
            let first = same[0][2] as u32;
            same.iter().for_each(|&[_, _, record]| of_record[record as usize] = first);
        }
        drop(entries);
        let (mut first, mut count) = (Mapped::grow(folder, "the first record of every unit")?, 0);
        for record in 0..records {
            let before = of_record[record] as usize;
            if before == record {
                first.push(record as u32)?;
                of_record[record] = count;
                count += 1;
            } else {
                of_record[record] = of_record[before];
            }
        }
        Ok(Self { of_record, first: first.finish()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_as_they_come() {
        let folder = tempfile::tempdir().unwrap();
        let keys = [[9, 1], [0, 1], [9, 1], [9, 0], [0, 1], [7, 7]];
        let mut entries = Mapped::<Entry>::grow(folder.path(), "names").unwrap();
        (0..).zip(keys).for_each(|(record, [a, b])| entries.push([a, b, record]).unwrap());
        let found = Numbering::of(entries.finish().unwrap(), folder.path()).unwrap();
        assert_eq!(found.of_record[..], [0, 1, 0, 2, 1, 3]);
        assert_eq!(found.first[..], [0, 1, 3, 5]);
    }
}
