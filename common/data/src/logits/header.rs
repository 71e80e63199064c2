//! What a pack's logits say about themselves.

use super::LogitsError;

pub(super) const MAGIC: &[u8; 8] = b"UMBRALG1";
pub(super) const END: &[u8; 8] = b"UMBRAEND";
const VERSION: u32 = 1;
/// Magic, seven u32, one u64.
pub(super) const FIXED: usize = 8 + 7 * 4 + 8;
/// Decompressed bytes a tile aims at.
const TILE_BYTES: u64 = 1 << 20;

/// The shape of a pack's logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogitsHeader {
    /// The first shadow of the pack.
    pub first_shadow: u32,
    /// Shadows of the pack.
    pub shadows: u32,
    /// Records of the data set.
    pub records: u64,
    /// Queries per record.
    pub queries: u32,
    /// Logits per query.
    pub classes: u32,
    /// Shadows that diverged twice, ascending; their logits are NaN.
    pub lost: Vec<u32>,
}

impl LogitsHeader {
    /// The most values of one record: queries x classes x shadows.
    pub const MAX_ROW: u64 = 1 << 24;

    /// Values of one record.
    pub fn row(&self) -> usize {
        self.queries as usize * self.classes as usize * self.shadows as usize
    }

    /// Records per tile: a function of the shape, so that the same logits give the same bytes.
    pub(super) fn tile_records(&self) -> u64 {
        (TILE_BYTES / (self.row() as u64 * 4)).max(1)
    }

    pub(super) fn tiles(&self) -> u64 {
        self.records.div_ceil(self.tile_records())
    }

    pub(super) fn check(&self) -> Result<(), LogitsError> {
        let row = u64::from(self.queries)
            .checked_mul(u64::from(self.classes))
            .and_then(|row| row.checked_mul(u64::from(self.shadows)))
            .ok_or(LogitsError::TooLarge("a record has too many values"))?;
        if row == 0 || self.records == 0 {
            return Err(LogitsError::Damaged("the shape is empty"));
        }
        if row > Self::MAX_ROW || self.records > 1 << 40 {
            return Err(LogitsError::TooLarge("2^24 values a record and 2^40 records are the most"));
        }
        let end = u64::from(self.first_shadow) + u64::from(self.shadows);
        let ascending = self.lost.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = self.lost.iter().all(|&shadow| shadow >= self.first_shadow && u64::from(shadow) < end);
        if !ascending || !inside || end > u64::from(u32::MAX) {
            return Err(LogitsError::Damaged("the lost shadows are not shadows of the pack"));
        }
        Ok(())
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        let numbers = [
            VERSION,
            self.first_shadow,
            self.shadows,
            self.queries,
            self.classes,
            self.tile_records() as u32,
            self.lost.len() as u32,
        ];
        numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        out.extend_from_slice(&self.records.to_le_bytes());
        self.lost.iter().for_each(|shadow| out.extend_from_slice(&shadow.to_le_bytes()));
    }

    /// The header and its length in bytes.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, usize), LogitsError> {
        let fixed = bytes.get(..FIXED).ok_or(LogitsError::Damaged("it ends within the header"))?;
        let (magic, rest) = fixed.split_at(8);
        if magic != MAGIC {
            return Err(LogitsError::Damaged("it does not begin like logits"));
        }
        let number = |i: usize| u32::from_le_bytes(std::array::from_fn(|b| rest[i * 4 + b]));
        if number(0) != VERSION {
            return Err(LogitsError::Damaged("it is of another version"));
        }
        let lost = number(6) as usize;
        if lost > number(2) as usize {
            return Err(LogitsError::Damaged("more shadows are lost than there are"));
        }
        let length = FIXED + lost * 4;
        let lost = bytes.get(FIXED..length).ok_or(LogitsError::Damaged("it ends within the header"))?;
        let header = Self {
            first_shadow: number(1),
            shadows: number(2),
            queries: number(3),
            classes: number(4),
            records: u64::from_le_bytes(std::array::from_fn(|b| rest[28 + b])),
            lost: lost.chunks_exact(4).map(|c| u32::from_le_bytes(std::array::from_fn(|b| c[b]))).collect(),
        };
        header.check()?;
        if u64::from(number(5)) != header.tile_records() {
            return Err(LogitsError::Damaged("its tiles have another size"));
        }
        Ok((header, length))
    }
}
