//! Turning an image about its centre.
//!
//! Numbers between pixels are bilinear, with zeros beyond the edges (`scipy.ndimage.rotate` with `order=1`,
//! `reshape=False`, `mode="grid-constant"`): an edge fades out over one pixel, where a pixel that is only a rounding
//! error outside would be lost were everything beyond the outermost pixels' middles plain zero.

/// The sine and cosine of so many degrees.
pub(crate) fn sine_and_cosine(degrees: f64) -> [f64; 2] {
    let (sine, cosine) = libm::sincos(degrees.to_radians());
    [sine, cosine]
}

/// Turns a record `[height][width][channels]` by the angle of a sine and cosine, counter-clockwise with row 0 on top;
/// `scratch` has as much room.
pub(crate) fn rotate(
    [sine, cosine]: [f64; 2],
    (height, width, channels): (usize, usize, usize),
    record: &mut [f32],
    scratch: &mut [f32],
) {
    let scratch = &mut scratch[..record.len()];
    scratch.copy_from_slice(record);
    let middle = |size: usize| (size as f64 - 1.0) / 2.0;
    let (middle_y, middle_x) = (middle(height), middle(width));
    for (y, line) in record.chunks_exact_mut(width * channels).enumerate() {
        let down = y as f64 - middle_y;
        for (x, pixel) in line.chunks_exact_mut(channels).enumerate() {
            let right = x as f64 - middle_x;
            let rows = between(cosine * down + sine * right + middle_y, height);
            let columns = between(cosine * right - sine * down + middle_x, width);
            pixel.fill(0.0);
            for (row, of_row) in rows {
                for (column, of_column) in columns {
                    let from = &scratch[(row * width + column) * channels..][..channels];
                    let share = of_row * of_column;
                    pixel.iter_mut().zip(from).for_each(|(to, from)| *to += share * from);
                }
            }
        }
    }
}

/// The two places around `at` and their shares; places outside of `0..size` have none.
fn between(at: f64, size: usize) -> [(usize, f32); 2] {
    let below = at.floor();
    let share = (at - below) as f32;
    let inside = |place: f64, share: f32| {
        if place >= 0.0 && place < size as f64 { (place as usize, share) } else { (0, 0.0) }
    };
    [inside(below, 1.0 - share), inside(below + 1.0, share)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotated(degrees: f64, size: (usize, usize, usize), image: &[f32]) -> Vec<f32> {
        let (mut turned, mut scratch) = (image.to_vec(), vec![0.0; image.len()]);
        rotate(sine_and_cosine(degrees), size, &mut turned, &mut scratch);
        turned
    }

    fn assert_same(found: &[f32], expected: impl Iterator<Item = f32>) {
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-6, "{off}");
    }

    /// An image with an even and one with an odd side, two channels.
    #[test]
    fn quarters_and_halves_of_a_turn_move_whole_pixels() {
        for n in [4, 5] {
            let size = (n, n, 2);
            let image: Vec<f32> = (0..2 * n * n).map(|i| (i * i % 23) as f32 / 23.0).collect();
            let at = |y: usize, x: usize, c: usize| image[(y * n + x) * 2 + c];
            let places = || (0..n).flat_map(move |y| (0..n).flat_map(move |x| [(y, x, 0), (y, x, 1)]));
            assert_eq!(rotated(0.0, size, &image), image);
            // What is at the right comes to the top.
            assert_same(&rotated(90.0, size, &image), places().map(|(y, x, c)| at(x, n - 1 - y, c)));
            assert_same(&rotated(-90.0, size, &image), places().map(|(y, x, c)| at(n - 1 - x, y, c)));
            let both = || places().map(|(y, x, c)| at(n - 1 - y, n - 1 - x, c));
            assert_same(&rotated(180.0, size, &image), both());
            assert_same(&rotated(-180.0, size, &image), both());
        }
    }

    #[test]
    fn what_turns_in_is_zero() {
        // A wide image on end keeps its middle.
        let found = rotated(90.0, (1, 5, 1), &[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_same(&found, [0.0, 0.0, 3.0, 0.0, 0.0].into_iter());
    }
}
