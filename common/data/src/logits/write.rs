//! Writing a pack's logits.

use super::LogitsError;
use super::header::{END, LogitsHeader};

/// The compression level: fast, and part of the format, as the bytes depend on it.
const LEVEL: i32 = 1;

/// Encodes a pack: `shadows[i]` holds the logits `[record][query][class]` of the pack's shadow `i`. The same
/// logits give the same bytes.
///
/// # Errors
/// [`LogitsError`] if the shape is out of bounds or a shadow's logits are of another size.
pub fn encode(header: &LogitsHeader, shadows: &[&[f32]]) -> Result<Vec<u8>, LogitsError> {
    header.check()?;
    let values = header.queries as usize * header.classes as usize;
    let expected = (header.records as usize).checked_mul(values);
    let fits = shadows.len() == header.shadows as usize
        && shadows.iter().all(|logits| Some(logits.len()) == expected);
    if !fits {
        return Err(LogitsError::Range { start: 0, end: header.records });
    }
    let mut out = Vec::new();
    header.encode(&mut out);
    let mut index = Vec::new();
    let mut tile = Vec::new();
    let step = header.tile_records() as usize * values;
    let whole = header.records as usize * values;
    for start in (0..whole).step_by(step) {
        tile.clear();
        for i in start..whole.min(start + step) {
            shadows.iter().for_each(|logits| tile.extend_from_slice(&logits[i].to_le_bytes()));
        }
        let compressed = zstd::bulk::compress(&tile, LEVEL)?;
        index.push((out.len() as u64, compressed.len() as u64));
        out.extend_from_slice(&compressed);
    }
    let at = out.len() as u64;
    for (offset, length) in &index {
        out.extend_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
    }
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&(index.len() as u64).to_le_bytes());
    out.extend_from_slice(END);
    Ok(out)
}
