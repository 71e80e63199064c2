//! Records that look like another unit's: perhaps one patient under two names.

use std::collections::HashMap;

use umbra_core::digest::Digest;

use crate::mmap::stored;

/// How many records have exactly the features and label of a record of another unit.
pub(crate) fn across_units(features: &[f32], width: usize, labels: &[&[u8]], units: &[u32]) -> u64 {
    struct Seen {
        unit: u32,
        records: u64,
        shared: bool,
    }
    let mut seen: HashMap<(&[u8], &[u8]), Seen> = HashMap::with_capacity(labels.len());
    for ((row, label), &unit) in features.chunks_exact(width).zip(labels).zip(units) {
        let entry = seen.entry((stored(row), *label)).or_insert(Seen { unit, records: 0, shared: false });
        entry.records += 1;
        entry.shared |= entry.unit != unit;
    }
    seen.values().filter(|seen| seen.shared).map(|seen| seen.records).sum()
}

/// How many records have exactly the numbers of a record of another unit; `units` in the order of `digests`.
pub(crate) fn same_values(digests: &[Digest], units: &[u32]) -> u64 {
    let mut records: Vec<u32> = (0..digests.len() as u32).collect();
    records.sort_unstable_by_key(|&record| digests[record as usize]);
    let alike = records.chunk_by(|&a, &b| digests[a as usize] == digests[b as usize]);
    let shared = alike.filter(|group| group.iter().any(|&r| units[r as usize] != units[group[0] as usize]));
    shared.map(|group| group.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_records_of_different_units_count() {
        let features = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0];
        assert_eq!(super::across_units(&features, 2, &[b"0", b"0", b"0", b"1", b"1"], &[0, 1, 1, 2, 2]), 3);
        assert_eq!(super::across_units(&features, 2, &[b"0", b"1", b"2", b"1", b"1"], &[0, 1, 1, 2, 2]), 0);
        let digests = [1u8, 2, 1, 3, 3].map(|i| umbra_core::digest::Digest::of(&[i]));
        assert_eq!(super::same_values(&digests, &[0, 1, 2, 3, 3]), 2);
    }
}
