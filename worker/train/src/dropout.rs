//! Which hidden units a training step leaves out. What is drawn depends on a key (shadow and step), the layer, the
//! record's place in the batch and the unit alone, so that neither the pack, the device nor the order of work matters,
//! and the backward pass draws again what the forward pass drew.

use umbra_core::seed::{Purpose, Seed};

use crate::philox::{philox, uniform};

/// The key of all masks of one shadow's step.
pub fn key(seed: &Seed, shadow: u32, step: u64) -> [u32; 2] {
    let mut stream = seed.stream(Purpose::Dropout, &[u64::from(shadow), step]);
    [stream.next_u32(), stream.next_u32()]
}

/// Whether a unit stays. Units of a record are numbered without padding; 16 counters make the words of 64 units, the
/// first words those of the first 16.
pub fn stays(key: [u32; 2], layer: u32, place: u32, unit: u32, rate: f32) -> bool {
    let (block, vector, lane) = (unit / 64, unit / 16 % 4, unit % 16);
    uniform(philox([16 * block + lane, layer, place, 0], key)[vector as usize]) >= rate
}

/// What a step's masks are drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Masks<'a> {
    /// The key of each lane.
    pub keys: &'a [[u32; 2]],
    /// The place in the batch of each lane's record 0; the others follow.
    pub place: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_left_out_each_by_itself_at_the_rate() {
        let of = |key, layer, place, rate| {
            (0..10_000).map(|unit| stays(key, layer, place, unit, rate)).collect::<Vec<_>>()
        };
        for rate in [0.1f32, 0.5, 0.9] {
            let left_out = of([3, 4], 1, 0, rate).iter().filter(|&&stays| !stays).count() as f64;
            // Five standard errors of 10,000 draws.
            let (expected, error) =
                (10_000.0 * f64::from(rate), 100.0 * f64::from(rate * (1.0 - rate)).sqrt());
            assert!((left_out - expected).abs() < 5.0 * error, "{left_out} at {rate}");
        }
        let one = of([3, 4], 1, 0, 0.5);
        for other in [of([3, 5], 1, 0, 0.5), of([3, 4], 2, 0, 0.5), of([3, 4], 1, 1, 0.5)] {
            // Independent masks agree on half of the units.
            let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!((4750..5250).contains(&same), "{same}");
        }
        // Nor do neighbours of one mask hang together.
        let same = one.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!((4750..5250).contains(&same), "{same}");
    }

    #[test]
    fn keys_differ_by_shadow_and_step() {
        let of = |shadow, step| key(&Seed::new(7), shadow, step);
        assert!(of(0, 0) != of(1, 0) && of(0, 0) != of(0, 1) && of(0, 0) == of(0, 0));
    }
}
