//! What is drawn again: groups of units and clusters of shadows.

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
    /// By unit; any where the unit has no records.
    pub(super) group_of: Vec<u8>,
    pub(super) groups: usize,
    /// By shadow; any where it is lost.
    pub(super) cluster_of: Vec<u16>,
    pub(super) clusters: usize,
    pub(super) replicates: usize,
    seed: Seed,
}

impl Sampling {
    /// The sampling units of an audit, given the unit of every record: its units, one by one or dealt at random to groups of equal size
    /// where they are more than the layout has room for; and its blocks.
    pub fn new(units: &[u32], blocks: &Blocks, seed: &Seed, replicates: usize) -> Self {
        let layout = Layout::per_shadow(blocks.shadows);
        let mut present = vec![false; units.iter().max().map_or(0, |&last| last as usize + 1)];
        units.iter().for_each(|&unit| present[unit as usize] = true);
        let units: Vec<usize> = (0..present.len()).filter(|&unit| present[unit]).collect();
        let groups = units.len().min(layout.most_groups());
        let mut group_of = vec![0; present.len()];
        deal(units.into_iter(), groups, &mut seed.stream(Purpose::Bootstrap, &[UNITS]), |unit, group| {
            group_of[unit] = group as u8;
        });

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
        Self { group_of, groups, cluster_of, clusters, replicates, seed: seed.clone() }
    }

    /// The same where shadows are not in order but as given.
    pub fn with_shadows(mut self, order: Order) -> Self {
        self.cluster_of = order.restored(&self.cluster_of);
        self
    }

    /// The group of a unit, in place in a tag of the layout.
    pub fn tag(&self, layout: Layout, unit: u32) -> u64 {
        u64::from(self.group_of[unit as usize]) << layout.group_at()
    }

    /// As many groups and clusters as there are, drawn with replacement.
    pub(super) fn draw(&self, replicate: usize) -> (Vec<u16>, Vec<u16>) {
        let mut stream = self.seed.stream(Purpose::Bootstrap, &[DRAWS, replicate as u64]);
        let mut draw = |of: usize| (0..of).map(|_| stream.below(of as u64) as u16).collect();
        (draw(self.groups), draw(self.clusters))
    }
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
