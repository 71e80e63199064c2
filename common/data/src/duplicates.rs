//! Records that look like another unit's: perhaps one patient under two names.

use std::collections::HashMap;

use crate::mmap::stored;

/// How many records have exactly the features and label of a record of another unit.
pub(crate) fn across_units(features: &[f32], width: usize, labels: &[u32], units: &[u32]) -> u64 {
    struct Seen {
        unit: u32,
        records: u64,
        shared: bool,
    }
    let mut seen: HashMap<(&[u8], u32), Seen> = HashMap::with_capacity(labels.len());
    for ((row, &label), &unit) in features.chunks_exact(width).zip(labels).zip(units) {
        let entry = seen.entry((stored(row), label)).or_insert(Seen { unit, records: 0, shared: false });
        entry.records += 1;
        entry.shared |= entry.unit != unit;
    }
    seen.values().filter(|seen| seen.shared).map(|seen| seen.records).sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_records_of_different_units_count() {
        let features = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0];
        assert_eq!(super::across_units(&features, 2, &[0, 0, 0, 1, 1], &[0, 1, 1, 2, 2]), 3);
        assert_eq!(super::across_units(&features, 2, &[0, 1, 2, 1, 1], &[0, 1, 1, 2, 2]), 0);
    }
}
