//! Rows by index into a caller's buffer: what training does per batch.

/// Copies rows of `width` numbers from `from` into `out`, `[rows][width]`. Nothing is allocated.
///
/// # Panics
/// If `out` does not hold exactly `rows.len() * width` numbers, or a row lies outside `from`.
pub fn rows<T: Copy>(from: &[T], width: usize, rows: &[u32], out: &mut [T]) {
    assert_eq!(out.len(), rows.len() * width, "the buffer holds {width} numbers per row");
    if width == 1 {
        out.iter_mut().zip(rows).for_each(|(slot, &row)| *slot = from[row as usize]);
        return;
    }
    for (slot, &row) in out.chunks_exact_mut(width).zip(rows) {
        let start = row as usize * width;
        slot.copy_from_slice(&from[start..start + width]);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_arrive_in_the_order_asked_for() {
        let from = [0, 1, 10, 11, 20, 21];
        let mut out = [0; 6];
        super::rows(&from, 2, &[2, 0, 2], &mut out);
        assert_eq!(out, [20, 21, 0, 1, 20, 21]);
        let mut labels = [0; 2];
        super::rows(&from, 1, &[5, 1], &mut labels);
        assert_eq!(labels, [21, 1]);
    }
}
