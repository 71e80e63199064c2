//! Varying a record. What is drawn depends on a key (in training: shadow and step; in a query: the view) and on the
//! record's place (in training: in the batch; in a query: in the data set) alone, so that neither the pack, the device
//! nor the order of work matters.

use umbra_core::seed::{Purpose, Seed};
use umbra_core::shape::{DataShape, Form};
use umbra_core::spec::Augment;

use crate::philox::{normals, philox, uniform};
use crate::rotate::{rotate, sine_and_cosine};

/// Draws for single numbers of the record start here; before it, one counter per kind of variation.
const NUMBERS: u32 = 16;

/// The key of all draws of one shadow's step.
pub fn key(seed: &Seed, shadow: u32, step: u64) -> [u32; 2] {
    let mut stream = seed.stream(Purpose::Augmentation, &[u64::from(shadow), step]);
    [stream.next_u32(), stream.next_u32()]
}

/// The key of all draws of one view of the records: the same for every shadow, so that the models differ and not the
/// questions.
pub fn view_key(seed: &Seed, view: u32) -> [u32; 2] {
    let mut stream = seed.stream(Purpose::Query, &[u64::from(view)]);
    [stream.next_u32(), stream.next_u32()]
}

/// Varies the records of a data set.
#[derive(Debug, Clone, Copy)]
pub struct Variation {
    recipe: Augment,
    height: usize,
    width: usize,
    channels: usize,
    form: Form,
}

impl Variation {
    /// The variations of a recipe on data of `shape`; `None` where it asks for none.
    pub fn new(recipe: Augment, shape: &DataShape) -> Option<Self> {
        let (height, width, channels) = match shape.form {
            Form::Table => (1, 1, shape.features),
            Form::Image { height, width, channels } => (height, width, channels),
            Form::Signal { samples, leads } => (1, samples, leads),
        };
        let [height, width, channels] = [height, width, channels].map(|size| size as usize);
        (!recipe.is_none()).then_some(Self { recipe, height, width, channels, form: shape.form })
    }

    /// Varies the record at `place` of a batch or data set: `[height][width][channels]`, with as much room in `scratch`.
    pub fn apply(&self, key: [u32; 2], place: u32, record: &mut [f32], scratch: &mut [f32]) {
        let draw = |kind: u32, index: u32| philox([index, kind, place, 0], key);
        let (image, recipe) = (self.is_image(), &self.recipe);
        // Turned, then mirrored, then moved: what has turned out of the image does not come back.
        if let Some(turn) = self.turn(key, place) {
            rotate(turn, (self.height, self.width, self.channels), record, scratch);
        }
        let shift = i64::from(recipe.shift());
        if recipe.flip() || shift > 0 {
            let [mirror, down, right, _] = draw(0, 0);
            let mirror = recipe.flip() && mirror >> 31 == 1;
            // In -shift..=shift, each as probable as the others to 2^-32 of itself and less.
            let within = |word: u32| ((u64::from(word) * (2 * shift as u64 + 1)) >> 32) as i64 - shift;
            let down = if image { within(down) } else { 0 };
            self.displace(mirror, down, within(right), record, scratch);
        }
        if recipe.contrast() > 0.0 || recipe.brightness() > 0.0 {
            let [contrast, brightness, ..] = draw(1, 0);
            let mean = record.iter().map(|&x| f64::from(x)).sum::<f64>() / record.len() as f64;
            let factor = 1.0 + signed(contrast) * recipe.contrast() as f32;
            let summand = signed(brightness) * recipe.brightness() as f32;
            let mean = mean as f32;
            record.iter_mut().for_each(|x| *x = (*x - mean).mul_add(factor, mean) + summand);
        }
        if recipe.scale() > 0.0 {
            let factor = 1.0 + signed(draw(2, 0)[0]) * recipe.scale() as f32;
            record.iter_mut().for_each(|x| *x *= factor);
        }
        if recipe.noise() > 0.0 {
            let size = recipe.noise() as f32;
            for (four, index) in record.chunks_mut(4).zip(0..) {
                let [a, b, c, d] = draw(NUMBERS, index);
                let ([a, b], [c, d]) = (normals(a, b), normals(c, d));
                four.iter_mut().zip([a, b, c, d]).for_each(|(x, normal)| *x = normal.mul_add(size, *x));
            }
        }
        if recipe.drop() > 0.0 {
            let most = recipe.drop() as f32;
            for channel in 0..self.channels {
                let word = draw(NUMBERS + 1, channel as u32 / 4)[channel % 4];
                if uniform(word) < most {
                    record.iter_mut().skip(channel).step_by(self.channels).for_each(|x| *x = 0.0);
                }
            }
        }
    }

    /// Sine and cosine of the angle by which the record at `place` is turned, if any is.
    pub(crate) fn turn(&self, key: [u32; 2], place: u32) -> Option<[f64; 2]> {
        let most = self.recipe.rotate();
        let degrees = || f64::from(signed(philox([0, 3, place, 0], key)[0])) * most;
        (most > 0.0).then(|| sine_and_cosine(degrees()))
    }

    /// The recipe.
    pub(crate) fn recipe(&self) -> &Augment {
        &self.recipe
    }

    /// Height, width and channels of a record.
    pub(crate) fn size(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// Whether records are images, which move up and down, too.
    pub(crate) fn is_image(&self) -> bool {
        matches!(self.form, Form::Image { .. })
    }

    /// Mirrors left to right, then moves; zeros move in.
    fn displace(&self, mirror: bool, down: i64, right: i64, record: &mut [f32], scratch: &mut [f32]) {
        let (height, width, channels) = (self.height as i64, self.width as i64, self.channels);
        let scratch = &mut scratch[..record.len()];
        scratch.copy_from_slice(record);
        for (y, line) in (0..).zip(record.chunks_exact_mut(self.width * channels)) {
            for (x, pixel) in (0..).zip(line.chunks_exact_mut(channels)) {
                let (from_y, moved): (i64, i64) = (y - down, x - right);
                let from_x = if mirror { width - 1 - moved } else { moved };
                if (0..height).contains(&from_y) && (0..width).contains(&from_x) {
                    let at = (from_y * width + from_x) as usize * channels;
                    pixel.copy_from_slice(&scratch[at..][..channels]);
                } else {
                    pixel.fill(0.0);
                }
            }
        }
    }
}

/// Uniform in `[-1, 1)`.
fn signed(word: u32) -> f32 {
    2.0 * uniform(word) - 1.0
}

#[cfg(test)]
mod tests {
    use umbra_core::spec::{AuditSpec, AugmentDraft, ModelDraft, SpecDraft, TrainingDraft};

    use super::*;

    fn variation(augment: AugmentDraft, form: Form) -> Variation {
        let draft = SpecDraft {
            name: "a".into(),
            dataset: "d".into(),
            model: ModelDraft { architecture: "logistic".into(), ..ModelDraft::default() },
            training: TrainingDraft {
                learning_rate: Some(0.1),
                batch: Some(1),
                epochs: Some(1),
                ..TrainingDraft::default()
            },
            augment,
            ..SpecDraft::default()
        };
        let shape = DataShape { form, ..DataShape::table(1, 1, form.features().unwrap_or(8), 2) };
        Variation::new(AuditSpec::try_new(&draft).unwrap().training().augment(), &shape).unwrap()
    }

    fn varied(variation: &Variation, place: u32, record: &[f32]) -> Vec<f32> {
        let (mut record, mut scratch) = (record.to_vec(), vec![0.0; record.len()]);
        variation.apply([3, 4], place, &mut record, &mut scratch);
        record
    }

    #[test]
    fn images_are_mirrored_half_of_the_time_and_moved_every_way() {
        let form = Form::Image { height: 5, width: 5, channels: 2 };
        let flip = variation(AugmentDraft { flip: Some(true), ..AugmentDraft::default() }, form);
        let image: Vec<f32> = (0..50).map(|i| i as f32).collect();
        let mirrored = |x: usize, c: usize| image[(4 - x) * 2 + c];
        let count = (0..1000).filter(|&place| {
            let found = varied(&flip, place, &image);
            let is = found != image;
            assert!(!is || (0..5).all(|x| (0..2).all(|c| found[x * 2 + c] == mirrored(x, c))));
            is
        });
        // Five standard errors of 1,000 halves.
        assert!((421..580).contains(&count.count()));

        let shift = variation(AugmentDraft { shift: Some(1), ..AugmentDraft::default() }, form);
        let mut dot = vec![0.0; 50];
        dot[24..26].fill(1.0);
        let mut seen = std::collections::BTreeMap::<usize, u32>::new();
        for place in 0..900 {
            let found = varied(&shift, place, &dot);
            let at = found.iter().position(|&x| x == 1.0).unwrap();
            assert_eq!(found.iter().sum::<f32>(), 2.0);
            *seen.entry(at / 2).or_default() += 1;
        }
        let places: Vec<usize> = seen.keys().copied().collect();
        assert_eq!(places, [6, 7, 8, 11, 12, 13, 16, 17, 18]);
        assert!(seen.values().all(|&count| (50..150).contains(&count)));
    }

    #[test]
    fn what_moves_out_is_gone_and_zeros_move_in() {
        let form = Form::Signal { samples: 3, leads: 1 };
        let shift = variation(AugmentDraft { shift: Some(5), ..AugmentDraft::default() }, form);
        let found: Vec<Vec<f32>> = (0..400).map(|place| varied(&shift, place, &[1.0, 2.0, 3.0])).collect();
        for expected in [[1.0, 2.0, 3.0], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0], [3.0, 0.0, 0.0], [0.0; 3]] {
            assert!(found.contains(&expected.to_vec()), "{expected:?}");
        }
    }

    #[test]
    fn numbers_move_within_what_is_asked_for() {
        let image = Form::Image { height: 1, width: 2, channels: 1 };
        let bright = AugmentDraft { brightness: Some(0.5), ..AugmentDraft::default() };
        let contrast = AugmentDraft { contrast: Some(0.5), ..AugmentDraft::default() };
        let signal = Form::Signal { samples: 2, leads: 4 };
        let scale = AugmentDraft { scale: Some(0.5), ..AugmentDraft::default() };
        let (bright, contrast) = (variation(bright, image), variation(contrast, image));
        let scale = variation(scale, signal);
        for place in 0..200 {
            let found = varied(&bright, place, &[1.0, 3.0]);
            assert!((found[1] - found[0] - 2.0).abs() < 1e-6 && (found[0] - 1.0).abs() <= 0.5);
            let found = varied(&contrast, place, &[1.0, 3.0]);
            assert!((found[1] + found[0] - 4.0).abs() < 1e-6 && (found[1] - 3.0).abs() <= 0.5 + 1e-6);
            let found = varied(&scale, place, &[2.0; 8]);
            assert!(found.iter().all(|&x| x == found[0] && (1.0..=3.0).contains(&x)));
        }
        let drop = variation(AugmentDraft { drop: Some(0.25), ..AugmentDraft::default() }, signal);
        let mut dropped = 0;
        for place in 0..1000 {
            let found = varied(&drop, place, &[1.0; 8]);
            assert_eq!(found[..4], found[4..], "whole leads");
            dropped += found[..4].iter().filter(|&&x| x == 0.0).count();
        }
        // 4,000 quarters, five standard errors.
        assert!((863..1137).contains(&dropped), "{dropped}");
        let noise = variation(AugmentDraft { noise: Some(2.0), ..AugmentDraft::default() }, Form::Table);
        let all: Vec<f32> = (0..1000).flat_map(|place| varied(&noise, place, &[1.0; 8])).collect();
        let mean = all.iter().sum::<f32>() / 8000.0;
        let spread = (all.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / 8000.0).sqrt();
        assert!((mean - 1.0).abs() < 0.12 && (spread - 2.0).abs() < 0.08, "{mean} {spread}");
    }

    #[test]
    fn keys_differ_by_shadow_and_step_or_by_view() {
        let of = |shadow, step| key(&Seed::new(7), shadow, step);
        assert!(of(0, 0) != of(1, 0) && of(0, 0) != of(0, 1) && of(0, 0) == of(0, 0));
        let of = |seed, view| view_key(&Seed::new(seed), view);
        assert!(of(7, 1) != of(7, 2) && of(7, 1) != of(8, 1) && of(7, 1) == of(7, 1));
    }
}
