//! The scores of a tile, sorted by bucket: the part of collecting that threads do side by side.

use super::key::{BUCKET_BITS, Layout, bucket, pack};
use crate::membership::Membership;
use crate::sort_key::key;

/// Scores of a tile as packed words, bucket by bucket.
pub(crate) struct Sorted {
    pub(super) words: Vec<u64>,
    /// (bucket, one past its last word), ascending.
    pub(super) runs: Vec<(u32, u32)>,
    /// Scores by tag (without group).
    pub(super) totals: Vec<u64>,
}

/// Sorts the scores `[row][column]`, anything not finite left out. `row` gives, for a row, the tag of its
/// columns, which may differ within the row in the lowest two bits and the group only.
pub(crate) fn distribute<T: Fn(usize) -> u64>(
    layout: Layout,
    scores: &[f64],
    columns: usize,
    row: impl Fn(usize) -> T,
) -> Sorted {
    let mut places = vec![0u32; 1 << BUCKET_BITS];
    for &score in scores.iter().filter(|score| score.is_finite()) {
        places[bucket(key(score))] += 1;
    }
    let (mut runs, mut next) = (Vec::new(), 0);
    for (bucket, place) in places.iter_mut().enumerate().filter(|(_, place)| **place > 0) {
        let begin = next;
        next += *place;
        *place = begin;
        runs.push((bucket as u32, next));
    }
    let mut words = vec![0u64; next as usize];
    let mut totals = vec![0u64; layout.tags()];
    for (index, scores) in scores.chunks_exact(columns).enumerate() {
        let tag_of = row(index);
        // Counts of finite scores, of those with the lowest bit set, the second, both.
        let [mut all, mut first, mut second, mut both] = [0u64; 4];
        let mut any = 0;
        for (column, &score) in scores.iter().enumerate() {
            if score.is_finite() {
                let (key, tag) = (key(score), tag_of(column));
                let place = &mut places[bucket(key)];
                words[*place as usize] = pack(key, tag);
                *place += 1;
                all += 1;
                first += tag & 1;
                second += tag >> 1 & 1;
                both += tag & tag >> 1 & 1;
                any = tag;
            }
        }
        let base = layout.tag(any) & !3;
        for (low, count) in
            [all + both - first - second, first - both, second - both, both].into_iter().enumerate()
        {
            if count > 0 {
                totals[base | low] += count;
            }
        }
    }
    Sorted { words, runs, totals }
}

/// Membership of the records of a tile, transposed for reading along a shadow's row.
pub(crate) struct TileMembers {
    records: usize,
    /// `[word of 64 shadows][record]`.
    words: Vec<u64>,
}

impl TileMembers {
    /// `units` are those of the tile's records.
    pub fn new(membership: &Membership<'_>, units: &[u32]) -> Self {
        let records = units.len();
        let mut words = vec![0; membership.shadows().div_ceil(64) * records];
        let mut room = Vec::new();
        for (record, &unit) in units.iter().enumerate() {
            for (word, &bits) in membership.column(unit as usize, &mut room).iter().enumerate() {
                words[word * records + record] = bits;
            }
        }
        Self { records, words }
    }

    /// Per record of the tile, whether the shadow was trained on it, as 0 or 1.
    pub fn of(&self, shadow: usize) -> impl Fn(usize) -> u64 {
        let (word, bit) = (shadow / 64, shadow % 64);
        let row = &self.words[word * self.records..(word + 1) * self.records];
        move |record| row[record] >> bit & 1
    }
}
