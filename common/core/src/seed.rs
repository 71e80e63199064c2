//! The seed tree: every random number of Umbra is a function of (audit seed, purpose, indices).
//!
//! A node's key is a SHA-256 of its path; its stream is ChaCha with eight rounds (Bernstein 2008) under
//! that key. Streams do not depend on who draws first, so any worker, thread or order gives the same
//! numbers. Conversions to floats and bounded integers are written here, once, so that no library's
//! change of a distribution can change an audit.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::digest::{Digest, FieldHasher};

/// What a stream of random numbers is for. The number is part of every key: never reuse or reorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// Which units a shadow trains on; indices: block. See [`crate::membership`].
    Membership = 1,
    /// Initial weights; indices: shadow, attempt.
    Init = 2,
    /// The order of a shadow's records within one epoch; indices: shadow, epoch.
    BatchOrder = 3,
    /// Augmentation of training records; indices: shadow, step.
    Augmentation = 4,
    /// Dropout masks; indices: shadow, step.
    Dropout = 5,
    /// Noise of differentially private training; indices: shadow, step.
    PrivacyNoise = 6,
    /// The views that records are queried with; indices: view. The same for every shadow.
    Query = 7,
    /// Bootstrap intervals.
    Bootstrap = 8,
    /// Permutations of group labels.
    GroupPermutation = 9,
    /// The sample of records that running figures are computed on.
    ProvisionalSample = 10,
    /// Fills of features the attacker does not know.
    AttackerFill = 11,
    /// Random numbers of tests and simulations.
    Simulation = 12,
    /// Which units no shadow trains on. See [`crate::membership`].
    Population = 13,
}

/// The root of an audit's seed tree.
///
/// Its `Debug` hides the value: reports and logs show [`Seed::commitment`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(u64);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seed(commitment {})", self.commitment().short())
    }
}

/// The key of one node of the seed tree.
#[derive(Clone)]
pub struct StreamKey([u8; 32]);

impl Seed {
    /// The tree of the audit seed `value`.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The seed itself, for the audit's own specification and nothing that is published.
    pub const fn reveal(&self) -> u64 {
        self.0
    }

    /// A digest that binds the report to the seed. It hides a seed drawn at random from all 64 bits; a
    /// small hand-picked seed can be found by trying.
    pub fn commitment(&self) -> Digest {
        let mut hasher = FieldHasher::new("umbra seed commitment v1");
        hasher.put_u64("seed", self.0);
        hasher.finish()
    }

    /// The key of the node (purpose, indices).
    pub fn key(&self, purpose: Purpose, indices: &[u64]) -> StreamKey {
        let mut hasher = FieldHasher::new("umbra seed tree v1");
        hasher.put_u64("seed", self.0);
        hasher.put_u64("purpose", purpose as u64);
        indices.iter().for_each(|&index| hasher.put_u64("index", index));
        StreamKey(*hasher.finish().as_bytes())
    }

    /// The stream of the node (purpose, indices), from its start.
    pub fn stream(&self, purpose: Purpose, indices: &[u64]) -> Stream {
        self.key(purpose, indices).stream()
    }
}

impl StreamKey {
    /// The node below this one that belongs to a digest, such as a unit's.
    pub fn child(&self, name: &Digest) -> StreamKey {
        let mut hasher = FieldHasher::new("umbra seed child v1");
        hasher.put("parent", &self.0);
        hasher.put("name", name.as_bytes());
        StreamKey(*hasher.finish().as_bytes())
    }

    /// This node's stream, from its start.
    pub fn stream(&self) -> Stream {
        Stream(ChaCha8Rng::from_seed(self.0))
    }
}

/// A counter-based stream of random numbers.
#[derive(Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub fn uniform_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-24.
    pub fn uniform_f32(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / (1u32 << 24) as f32)
    }

    /// Uniform in `0..bound`, without bias (Lemire 2019, doi 10.1145/3230636).
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "below(0) has no answer");
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            let low = wide as u64;
            // The exact threshold costs a division and is below `bound`, so few numbers need it.
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Uniform in `0..bound`, without bias, from half the random bits of [`Stream::below`].
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below_u32(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "below_u32(0) has no answer");
        loop {
            let wide = u64::from(self.next_u32()) * u64::from(bound);
            let low = wide as u32;
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (wide >> 32) as u32;
            }
        }
    }

    /// A standard normal number (Box and Muller 1958, the cosine branch), through `libm` only.
    pub fn normal_f64(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform_f64()));
        radius * libm::cos(2.0 * std::f64::consts::PI * self.uniform_f64())
    }

    /// Puts `items` in random order (Fisher and Yates; Durstenfeld 1964).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_told_apart_by_every_part_of_their_path() {
        let first = |seed: u64, purpose, indices: &[u64]| Seed::new(seed).stream(purpose, indices).next_u64();
        let draw = || {
            [
                first(7, Purpose::Init, &[0]),
                first(8, Purpose::Init, &[0]),
                first(7, Purpose::BatchOrder, &[0]),
                first(7, Purpose::Init, &[1]),
                first(7, Purpose::Init, &[0, 0]),
                first(7, Purpose::Init, &[]),
            ]
        };
        let all = draw();
        assert_eq!(all, draw());
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut stream = Seed::new(1).stream(Purpose::Simulation, &[]);
        let n = 100_000;
        let (mut sum, mut square, mut uniform, mut bounded) = (0.0, 0.0, 0.0, [[0u32; 3]; 2]);
        for _ in 0..n {
            let x = stream.normal_f64();
            sum += x;
            square += x * x;
            uniform += stream.uniform_f64();
            bounded[0][stream.below(3) as usize] += 1;
            bounded[1][stream.below_u32(3) as usize] += 1;
        }
        let n = f64::from(n);
        // Five standard errors each.
        assert!((sum / n).abs() < 0.016);
        assert!((square / n - 1.0).abs() < 0.023);
        assert!((uniform / n - 0.5).abs() < 0.0046);
        assert!(bounded.iter().flatten().all(|&c| (f64::from(c) / n - 1.0 / 3.0).abs() < 0.0075));
    }

    #[test]
    fn every_permutation_of_three_is_equally_likely() {
        let mut stream = Seed::new(2).stream(Purpose::Simulation, &[]);
        let mut counts = std::collections::BTreeMap::<[u8; 3], u32>::new();
        for _ in 0..60_000 {
            let mut items = [0, 1, 2];
            stream.shuffle(&mut items);
            *counts.entry(items).or_default() += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&c| (9_500..10_500).contains(&c)));
    }

    #[test]
    fn debug_never_shows_the_seed() {
        assert!(!format!("{:?}", Seed::new(123_456_789)).contains("123456789"));
    }
}
