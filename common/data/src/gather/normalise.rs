//! From stored numbers to what a model is given.

use crate::values::{Normalisation, Values};

/// Writes rows of stored numbers into `out` as a model is given them: row `i` of the batch begins at
/// `i * pitch`, has `features` numbers `x * scale[c] + shift[c]` (two operations, each rounded to single
/// precision; `c` the channel, which runs fastest), and what is left up to the next row stays as it is.
/// Nothing is allocated.
///
/// # Panics
/// If `pitch` is less than `features`, `out` ends before the last row does, a row lies outside `values`, or
/// rows are not whole pixels or points in time.
pub fn normalised(
    values: Values<'_>,
    normalisation: &Normalisation,
    features: usize,
    rows: &[u32],
    pitch: usize,
    out: &mut [f32],
) {
    let rows = rows.iter().map(|&row| row as usize);
    match values {
        Values::F32(values) => each(values, |x| x, normalisation, features, rows, pitch, out),
        Values::U8(values) => each(values, f32::from, normalisation, features, rows, pitch, out),
        Values::I16(values) => each(values, f32::from, normalisation, features, rows, pitch, out),
    }
}

/// The same of all rows there are.
pub(super) fn all_normalised(
    values: Values<'_>,
    normalisation: &Normalisation,
    features: usize,
    pitch: usize,
    out: &mut [f32],
) {
    let rows = 0..values.len() / features.max(1);
    match values {
        Values::F32(values) => each(values, |x| x, normalisation, features, rows, pitch, out),
        Values::U8(values) => each(values, f32::from, normalisation, features, rows, pitch, out),
        Values::I16(values) => each(values, f32::from, normalisation, features, rows, pitch, out),
    }
}

fn each<T: Copy>(
    values: &[T],
    single: impl Fn(T) -> f32 + Copy,
    normalisation: &Normalisation,
    features: usize,
    rows: impl Iterator<Item = usize>,
    pitch: usize,
    out: &mut [f32],
) {
    assert!(pitch >= features, "a row of {features} numbers fits its pitch of {pitch}");
    assert!(features.is_multiple_of(normalisation.scale().len()), "a row has whole points");
    let (scale, shift) = normalisation.runs();
    let identity = normalisation.is_identity();
    for (i, row) in rows.enumerate() {
        let from = &values[row * features..][..features];
        let to = &mut out[i * pitch..][..features];
        match (scale, shift) {
            _ if identity => to.iter_mut().zip(from).for_each(|(y, &x)| *y = single(x)),
            (&[scale], &[shift]) => {
                to.iter_mut().zip(from).for_each(|(y, &x)| *y = single(x) * scale + shift);
            }
            _ => {
                // The last run of a row is shorter, and ends with a whole point, too.
                for (to, from) in to.chunks_mut(scale.len()).zip(from.chunks(scale.len())) {
                    for (((y, &x), scale), shift) in to.iter_mut().zip(from).zip(scale).zip(shift) {
                        *y = single(x) * scale + shift;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Channel;

    #[test]
    fn every_channel_has_its_own_factor_and_shift() {
        let channel = |mean, sd| Channel { name: String::new(), mean, sd };
        let both = Normalisation::of(&[channel(10.0, 2.0), channel(0.0, 4.0)]);
        let values = [10u8, 4, 12, 8, 14, 0, 16, 12];
        let mut out = [9.0; 10];
        normalised(Values::U8(&values), &both, 4, &[1, 0], 5, &mut out);
        assert_eq!(out, [2.0, 0.0, 3.0, 3.0, 9.0, 0.0, 1.0, 1.0, 2.0, 9.0]);
        let one = Normalisation::of(&[channel(10.0, 2.0)]);
        let mut out = [0.0; 2];
        normalised(Values::I16(&[8, -10]), &one, 2, &[0], 2, &mut out);
        assert_eq!(out, [-1.0, -10.0]);
        normalised(Values::F32(&[0.5, 0.25]), &Normalisation::identity(), 2, &[0], 2, &mut out);
        assert_eq!(out, [0.5, 0.25]);
    }

    #[test]
    fn runs_of_points_change_nothing() {
        let channel = |mean, sd| Channel { name: String::new(), mean, sd };
        let three = [channel(3.5, 7.0), channel(-20.25, 0.3), channel(0.0, 11.0)];
        let normalisation = Normalisation::of(&three);
        let values: Vec<i16> = (0..300).map(|i| (i * i % 613) as i16 - 300).collect();
        let mut out = vec![0.0; 300];
        normalised(Values::I16(&values), &normalisation, 300, &[0], 300, &mut out);
        for (i, (&x, y)) in values.iter().zip(out).enumerate() {
            let Channel { mean, sd, .. } = &three[i % 3];
            assert_eq!(y, f32::from(x) * (1.0 / sd) as f32 + (-mean / sd) as f32);
        }
    }
}
