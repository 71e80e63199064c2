//! Values told apart by bits, and put side by side.

use super::{LANES, Vector};

/// The values from `start` to `end`, eight at most; not numbers in the lanes beyond.
#[inline(always)]
pub(crate) fn load_part<V: Vector>(values: &[f64], start: usize, end: usize) -> V {
    let part = &values[start..end.min(start + LANES)];
    match part.first_chunk() {
        Some(whole) => V::load(whole),
        None => {
            let mut lanes = [f64::NAN; LANES];
            lanes[..part.len()].copy_from_slice(part);
            V::load(&lanes)
        }
    }
}

/// The bits of the eight shadows from `start` on; 0 beyond the last word.
#[inline(always)]
pub(crate) fn bits_at(column: &[u64], start: usize) -> u8 {
    let (word, shift) = (start / 64, start % 64);
    let low = column[word] >> shift;
    let high = if shift > 56 && word + 1 < column.len() { column[word + 1] << (64 - shift) } else { 0 };
    (low | high) as u8
}

/// Puts the lanes that are set behind the first `n` values of `to`, which has room for eight more in any case.
/// Returns how many there are then.
#[inline(always)]
pub(crate) fn pack<V: Vector>(values: V, lanes: u8, to: &mut [f64], n: usize) -> usize {
    values.store_packed(
        lanes,
        to[n..].first_chunk_mut().expect("there is room for whole lanes beyond the last value"),
    );
    n + lanes.count_ones() as usize
}
