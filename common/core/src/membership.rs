//! Which units each shadow trains on.
//!
//! Within a block of B shadows every unit is IN exactly B/2, a half drawn from (seed, block, unit digest)
//! alone. So a unit's column does not depend on the other units, on row positions, on how many units
//! there are or on how many blocks follow, and columns of different units are independent: the patient
//! test's exact null rests on that. An audit may reserve a share of the units for comparison, which no shadow trains
//! on; whether a unit is among them depends on seed, share and unit alone, too.

use crate::digest::{Digest, FieldHasher};
use crate::seed::{Purpose, Seed, StreamKey};
use crate::spec::AuditSpec;

/// The membership bits of an audit: shadows x units, stored unit by unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    shadows: u32,
    block: u32,
    words: usize,
    bits: Vec<u64>,
}

impl Membership {
    /// Draws the membership of `units` (by digest) for `shadows` shadows in blocks of `block`.
    ///
    /// # Panics
    /// If `block` is odd, 0, above 64, or does not divide `shadows` (a checked spec never is).
    pub fn draw<'a>(seed: &Seed, shadows: u32, block: u32, units: impl Iterator<Item = &'a Digest>) -> Self {
        assert!(
            block > 0 && block.is_multiple_of(2) && block <= 64 && shadows.is_multiple_of(block),
            "unchecked design"
        );
        let words = shadows.div_ceil(64) as usize;
        let keys: Vec<StreamKey> =
            (0..shadows / block).map(|index| seed.key(Purpose::Membership, &[u64::from(index)])).collect();
        let mut bits = Vec::with_capacity(units.size_hint().0 * words);
        for unit in units {
            let start = bits.len();
            bits.resize(start + words, 0);
            let column = &mut bits[start..];
            for (index, key) in keys.iter().enumerate() {
                let half = random_half(key, unit, block);
                for within in (0..block as usize).filter(|within| half >> within & 1 == 1) {
                    let shadow = index * block as usize + within;
                    column[shadow / 64] |= 1 << (shadow % 64);
                }
            }
        }
        Self { shadows, block, words, bits }
    }

    /// The membership that a specification asks for: drawn, and a share of the units reserved.
    pub fn of(spec: &AuditSpec, units: &[Digest]) -> Self {
        let (seed, shadows) = (spec.seed(), spec.shadows());
        let drawn = Self::draw(seed, shadows.count(), shadows.block(), units.iter());
        drawn.reserving(seed, shadows.population(), units.iter())
    }

    /// Takes a share of `units`, which are those of [`Self::draw`], out of all shadows.
    ///
    /// # Panics
    /// If there are more or fewer units than were drawn.
    #[must_use]
    pub fn reserving<'a>(
        mut self,
        seed: &Seed,
        share: f64,
        units: impl ExactSizeIterator<Item = &'a Digest>,
    ) -> Self {
        assert_eq!(units.len(), self.units(), "the units of the membership");
        if share > 0.0 {
            let key = seed.key(Purpose::Population, &[]);
            let columns = self.bits.chunks_exact_mut(self.words).zip(units);
            for (column, _) in columns.filter(|(_, unit)| key.child(unit).stream().uniform_f64() < share) {
                column.fill(0);
            }
        }
        self
    }

    /// Whether no shadow trains on `unit`.
    pub fn is_reserved(&self, unit: usize) -> bool {
        self.column(unit).iter().all(|&word| word == 0)
    }

    /// How many shadows.
    pub fn shadows(&self) -> u32 {
        self.shadows
    }

    /// Shadows per block.
    pub fn block(&self) -> u32 {
        self.block
    }

    /// How many units.
    pub fn units(&self) -> usize {
        self.bits.len() / self.words.max(1)
    }

    /// Whether `shadow` trains on `unit`.
    pub fn is_in(&self, shadow: u32, unit: usize) -> bool {
        self.column(unit)[shadow as usize / 64] >> (shadow % 64) & 1 == 1
    }

    /// A unit's column: bit `s % 64` of word `s / 64` says whether shadow `s` trains on it.
    pub fn column(&self, unit: usize) -> &[u64] {
        &self.bits[unit * self.words..(unit + 1) * self.words]
    }

    /// All columns, unit by unit, [`Self::words`] words each.
    pub fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// Words per column.
    pub fn words(&self) -> usize {
        self.words
    }

    /// The digest of one shadow's membership, over the units in their canonical order.
    pub fn shadow_digest(&self, shadow: u32) -> Digest {
        let mut packed = vec![0u8; self.units().div_ceil(8)];
        for unit in (0..self.units()).filter(|&unit| self.is_in(shadow, unit)) {
            packed[unit / 8] |= 1 << (unit % 8);
        }
        let mut hasher = FieldHasher::new("umbra membership of a shadow v1");
        hasher.put_u64("units", self.units() as u64);
        hasher.put("bits", &packed);
        hasher.finish()
    }
}

/// A uniformly random half of `block` shadows, as bits: the first half of a partial shuffle.
fn random_half(key: &StreamKey, unit: &Digest, block: u32) -> u64 {
    let mut stream = key.child(unit).stream();
    let mut order: [u8; 64] = std::array::from_fn(|i| i as u8);
    let mut half = 0u64;
    for i in 0..block as usize / 2 {
        let j = i + stream.below(u64::from(block) - i as u64) as usize;
        order.swap(i, j);
        half |= 1 << order[i];
    }
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(n: usize) -> Vec<Digest> {
        (0..n).map(|i| Digest::of(&i.to_le_bytes())).collect()
    }

    fn draw(seed: u64, shadows: u32, block: u32, units: &[Digest]) -> Membership {
        Membership::draw(&Seed::new(seed), shadows, block, units.iter())
    }

    #[test]
    fn every_unit_is_in_exactly_half_of_every_block() {
        let units = units(200);
        for (shadows, block) in [(64, 16), (200, 20), (8, 8), (128, 64)] {
            let membership = draw(7, shadows, block, &units);
            for unit in 0..units.len() {
                for first in (0..shadows).step_by(block as usize) {
                    let inside = (first..first + block).filter(|&s| membership.is_in(s, unit)).count();
                    assert_eq!(inside, block as usize / 2);
                }
            }
        }
    }

    #[test]
    fn a_column_depends_on_its_unit_seed_and_block_alone() {
        let units = units(50);
        let whole = draw(7, 64, 16, &units);
        let reversed: Vec<Digest> = units.iter().rev().copied().collect();
        let other = draw(7, 32, 16, &reversed[10..]);
        for unit in 0..40 {
            for shadow in 0..32 {
                assert_eq!(whole.is_in(shadow, unit), other.is_in(shadow, 39 - unit));
            }
        }
        assert_ne!(whole, draw(8, 64, 16, &units));
    }

    #[test]
    fn columns_of_different_units_are_independent() {
        // For independent halves of 16, the overlap of two columns has mean 4 a block and variance
        // 16/15 (hypergeometric); the mean over 19,900 pairs and 4 blocks is within five standard errors.
        let units = units(200);
        let membership = draw(3, 64, 16, &units);
        let (mut sum, mut pairs) = (0u64, 0u64);
        for a in 0..units.len() {
            for b in 0..a {
                sum += u64::from((membership.column(a)[0] & membership.column(b)[0]).count_ones());
                pairs += 1;
            }
        }
        let mean = sum as f64 / pairs as f64;
        let error = (4.0 * 16.0 / 15.0 / pairs as f64).sqrt();
        assert!((mean - 16.0).abs() < 5.0 * error, "{mean}");
        // A shadow's number of units is not fixed: its variance over shadows is near n/4 = 50.
        let counts: Vec<f64> =
            (0..64).map(|s| (0..units.len()).filter(|&u| membership.is_in(s, u)).count() as f64).collect();
        let variance = counts.iter().map(|c| (c - 100.0) * (c - 100.0)).sum::<f64>() / 64.0;
        assert!((20.0..90.0).contains(&variance), "{variance}");
    }

    #[test]
    fn a_share_of_the_units_is_reserved_each_by_itself() {
        let units = units(4000);
        let whole = draw(7, 16, 8, &units);
        let reserved = whole.clone().reserving(&Seed::new(7), 0.1, units.iter());
        let count = (0..4000).filter(|&unit| reserved.is_reserved(unit)).count();
        // Five standard errors of 4,000 draws.
        assert!((305..495).contains(&count), "{count}");
        let same = |unit: usize| reserved.is_reserved(unit) || reserved.column(unit) == whole.column(unit);
        assert!((0..4000).all(same));
        // A larger share takes more units, and others do not change; nor does anybody else's choice matter.
        let more = whole.clone().reserving(&Seed::new(7), 0.2, units.iter());
        assert!((0..4000).all(|unit| !reserved.is_reserved(unit) || more.is_reserved(unit)));
        let few = draw(7, 16, 8, &units[..50]).reserving(&Seed::new(7), 0.1, units[..50].iter());
        assert!((0..50).all(|unit| few.column(unit) == reserved.column(unit)));
        assert_eq!(whole.clone().reserving(&Seed::new(7), 0.0, units.iter()), whole);
        assert_ne!(reserved.shadow_digest(3), whole.shadow_digest(3));
    }

    #[test]
    fn all_halves_of_a_small_block_are_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for unit in &units(14_000) {
            let key = Seed::new(1).key(Purpose::Membership, &[0]);
            *counts.entry(random_half(&key, unit, 8)).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 70);
        // 200 expected each; six standard deviations.
        assert!(counts.values().all(|&count| (115..=285).contains(&count)));
    }
}
