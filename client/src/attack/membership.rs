//! Which shadow was trained on which unit: one bit each.

use std::path::Path;

use umbra_coordinator::report::Names as _;
use umbra_data::npy::{NpyError, NpyFile};
use umbra_runtime::Mapped;
use umbra_stats::{Membership, Shape};

use super::units::Units;
use super::unread::Unread;

/// Records that are read at once at most: runs of 64 KiB of a file.
const RECORDS: usize = 1 << 16;

/// Bytes that are read at once at most.
const BYTES: usize = 8 << 20;

/// The bit matrix units x shadows, in a scratch file.
#[derive(Debug)]
pub struct Packed {
    shadows: usize,
    units: usize,
    words: Mapped<u64>,
}

impl Packed {
    /// Reads an array `[shadows, records]` of 0 and 1, or false and true.
    ///
    /// # Errors
    /// If the file cannot be read, holds anything else, or records of one unit disagree; or there is no room
    /// in the folder.
    pub fn read(file: &NpyFile, shape: &Shape, units: &Units, folder: &Path) -> Result<Self, Unread> {
        let Shape { shadows, records, .. } = *shape;
        let width = shadows.div_ceil(64);
        let mut words = Mapped::<u64>::zeroes(folder, "membership", units.count() * width)?;
        // A unit is met for the first time where its number is the next.
        let mut met = 0;
        let mut column = vec![0u64; width];
        let (mut raw, mut bytes) = (Vec::new(), Vec::new());
        let together = (BYTES / shadows).clamp(1, RECORDS);
        for start in (0..records).step_by(together) {
            let end = records.min(start + together);
            bytes.resize((end - start) * shadows, 0);
            file.read_bytes(start..end, &mut raw, &mut bytes)?;
            for (record, cells) in (start..end).zip(bytes.chunks_exact(shadows)) {
                pack(cells, &mut column).map_err(|shadow| {
                    file.wrong(format!(
                        "shadow {shadow} has {} for record {record}; give 1 where it was trained on the record \
                         and 0 where it was not",
                        cells[shadow]
                    ))
                })?;
                let unit = units.of_record[record] as usize;
                let kept = &mut words[unit * width..(unit + 1) * width];
                if unit == met {
                    kept.copy_from_slice(&column);
                    met += 1;
                } else if *kept != column[..] {
                    return Err(disagreement(file, units, record, kept, &column).into());
                }
            }
        }
        Ok(Self { shadows, units: units.count(), words })
    }

    /// As the statistics read it.
    pub fn view(&self) -> Membership<'_> {
        Membership::new(self.shadows, self.units, &self.words).expect("there is a column a unit")
    }
}

/// Packs cells of 0 and 1 into bits; else the shadow whose cell is neither.
fn pack(cells: &[u8], column: &mut [u64]) -> Result<(), usize> {
    for (index, (word, cells)) in column.iter_mut().zip(cells.chunks(64)).enumerate() {
        let (mut bits, mut all) = (0, 0);
        for (shift, &cell) in cells.iter().enumerate() {
            bits |= u64::from(cell) << shift;
            all |= cell;
        }
        if all > 1 {
            let shadow = cells.iter().position(|&cell| cell > 1).expect("one of them is more than 1");
            return Err(index * 64 + shadow);
        }
        *word = bits;
    }
    Ok(())
}

fn disagreement(file: &NpyFile, units: &Units, record: usize, kept: &[u64], column: &[u64]) -> NpyError {
    let unit = units.of_record[record];
    let first = units.of_record.iter().position(|&other| other == unit).unwrap_or(record);
    let word = kept.iter().zip(column).position(|(a, b)| a != b).unwrap_or(0);
    let differing = kept[word] ^ column[word];
    let shadow = word * 64 + differing.trailing_zeros() as usize;
    let trained = if kept[shadow / 64] >> (shadow % 64) & 1 == 1 { first } else { record };
    file.wrong(format!(
        "records {first} and {record} both belong to unit {}, but shadow {shadow} was trained on record {trained} \
         alone; the records of a unit are in or out together, so give the units that membership was drawn for",
        units.name(unit as usize)
    ))
}
