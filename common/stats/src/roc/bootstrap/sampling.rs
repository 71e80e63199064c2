//! What is drawn again: groups of units and clusters of shadows.

use std::collections::BTreeSet;

use umbra_core::seed::{Purpose, Seed, Stream};

use super::super::key::Layout;
use crate::design::Blocks;
use crate::order::Order;

/// Fewer blocks say too little about how blocks vary: then shadows are drawn one by one.
pub(super) const FEWEST_CLUSTERS: usize = 4;

/// Beyond as many, blocks or shadows are dealt to groups.
const MOST_CLUSTERS: usize = 32;

/// Nodes of the seed tree below [`Purpose::Bootstrap`].
const UNITS: u64 = 0;
const SHADOWS: u64 = 1;
const DRAWS: u64 = 2;

/// The sampling units, and how they are drawn again.
pub(crate) struct Sampling {
    dealt: Dealt,
    pub(super) groups: usize,
    /// By shadow; any where it is lost.
    pub(super) cluster_of: Vec<u16>,
    pub(super) clusters: usize,
    pub(super) replicates: usize,
    seed: Seed,
}

/// Which group a unit is in. There may be many millions of units, so nothing is kept of each.
enum Dealt {
    /// Every unit that has records is a group of its own; ascending.
    Alone(Vec<u32>),
    /// Of every `groups` units in their order, a power of two, each is in another group, in an order that
    /// follows from the key.
    Hands { key: u64, groups: u32 },
}

impl Sampling {
    /// The sampling units of an audit, given the unit of every record: its units, one by one, or dealt at
    /// random to groups where they are more than the layout has room for; and its blocks. Groups are of
    /// equal size (within one) where every unit has records.
    pub fn new(units: &[u32], blocks: &Blocks, seed: &Seed, replicates: usize) -> Self {
        let most = Layout::per_shadow(blocks.shadows).most_groups();
        let dealt = Dealt::of(units, most, &mut seed.stream(Purpose::Bootstrap, &[UNITS]));
        let groups = match &dealt {
            Dealt::Alone(units) => units.len(),
            Dealt::Hands { groups, .. } => *groups as usize,
        };

        let stratum = if blocks.count() < FEWEST_CLUSTERS { 1 } else { blocks.size };
        let kept: Vec<usize> = (0..blocks.shadows / stratum)
            .filter(|index| blocks.lost[index * stratum..(index + 1) * stratum].contains(&false))
            .collect();
        let clusters = kept.len().min(MOST_CLUSTERS);
        let mut cluster_of = vec![0; blocks.shadows];
        deal(
            kept.into_iter(),
            clusters,
            &mut seed.stream(Purpose::Bootstrap, &[SHADOWS]),
            |index, cluster| {
                cluster_of[index * stratum..(index + 1) * stratum].fill(cluster as u16);
            },
        );
        Self { dealt, groups, cluster_of, clusters, replicates, seed: seed.clone() }
    }

    /// The same where shadows are not in order but as given.
    pub fn with_shadows(mut self, order: Order) -> Self {
        self.cluster_of = order.restored(&self.cluster_of);
        self
    }

    /// The group of a unit, in place in a tag of the layout.
    pub fn tag(&self, layout: Layout, unit: u32) -> u64 {
        self.dealt.group(unit) << layout.group_at()
    }

    /// As many groups and clusters as there are, drawn with replacement.
    pub(super) fn draw(&self, replicate: usize) -> (Vec<u16>, Vec<u16>) {
        let mut stream = self.seed.stream(Purpose::Bootstrap, &[DRAWS, replicate as u64]);
        let mut draw = |of: usize| (0..of).map(|_| stream.below(of as u64) as u16).collect();
        (draw(self.groups), draw(self.clusters))
    }
}

impl Dealt {
    fn of(units: &[u32], most: usize, stream: &mut Stream) -> Self {
        let mut alone = BTreeSet::new();
        for &unit in units {
            if alone.insert(unit) && alone.len() > most {
                return Self::Hands { key: stream.next_u64(), groups: most as u32 };
            }
        }
        Self::Alone(alone.into_iter().collect())
    }

    /// The group of a unit that has records.
    fn group(&self, unit: u32) -> u64 {
        match self {
            Self::Alone(units) => units.partition_point(|&other| other < unit) as u64,
            // An odd factor and a summand: each place of a hand goes to another group.
            Self::Hands { key, groups } => {
                let hand = mixed(key ^ u64::from(unit / groups));
                let place = (hand >> 32 | 1).wrapping_mul(u64::from(unit % groups)).wrapping_add(hand);
                place & u64::from(groups - 1)
            }
        }
    }
}

/// A number that follows from another, all bits of it (Steele, Lea and Flood 2014, splitmix64).
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Deals items to hands of equal size (within one), every hand of the next `hands` items another.
fn deal(
    items: impl Iterator<Item = usize>,
    hands: usize,
    stream: &mut Stream,
    mut give: impl FnMut(usize, usize),
) {
    let mut order: Vec<usize> = (0..hands).collect();
    for (place, item) in items.enumerate() {
        if place % hands == 0 {
            stream.shuffle(&mut order);
        }
        give(item, order[place % hands]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;

    fn sampling(units: &[u32], seed: u64) -> Sampling {
        Sampling::new(units, &Design::blocks(16).resolve(64).unwrap(), &Seed::new(seed), 1)
    }

    #[test]
    fn few_units_are_groups_of_their_own() {
        let units = [7, 900, 3, 7, 4_000_000_000, 3];
        let found = sampling(&units, 1);
        assert_eq!(found.groups, 4);
        assert_eq!(units.map(|unit| found.dealt.group(unit)), [1, 2, 0, 1, 3, 0]);
    }

    /// Groups are of equal size, and whom a unit shares its group with is chance: of the pairs of units in
    /// different hands a share of 1 / groups, at any distance.
    #[test]
    fn many_units_are_dealt_evenly_and_at_random() {
        let count = 50_000u32;
        let units: Vec<u32> = (0..count).rev().collect();
        let found = sampling(&units, 2);
        let groups = found.groups;
        assert_eq!(groups, Layout::per_shadow(64).most_groups());
        let mut sizes = vec![0usize; groups];
        units.iter().for_each(|&unit| sizes[found.dealt.group(unit) as usize] += 1);
        assert!(sizes.iter().all(|&size| size.abs_diff(count as usize / groups) <= 1), "{sizes:?}");
        for distance in [1, 2, 3, 64, 255, 256, 257, 512, 1000, 25_600] {
            let hands = |unit: u32| unit / groups as u32;
            let pairs = (0..count - distance).filter(|&unit| hands(unit) != hands(unit + distance));
            let (mut all, mut together) = (0.0, 0.0);
            for unit in pairs {
                all += 1.0;
                together +=
                    f64::from(u8::from(found.dealt.group(unit) == found.dealt.group(unit + distance)));
            }
            let expected: f64 = all / groups as f64;
            // Pairs of the same two hands share their luck: four standard errors, and three times those.
            let allowed = 12.0 * expected.sqrt() + 4.0;
            assert!((together - expected).abs() < allowed, "{distance}: {together} of {all}, {expected}");
        }
        let other = sampling(&units, 3);
        let same = units.iter().filter(|&&unit| found.dealt.group(unit) == other.dealt.group(unit)).count();
        assert!(same < 1000, "another seed deals otherwise: {same}");
    }
}
