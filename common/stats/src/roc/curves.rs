//! The curves of an attack's scores, for scores made elsewhere.

use std::ops::Range;

use umbra_core::seed::Seed;

use super::Roc;
use super::bootstrap::Sampling;
use super::collector::{Collector, Want};
use super::distribute::{Sorter, TileMembers};
use super::finish::Sizes;
use super::key::Layout;
use super::targets::per_target;
use crate::analysis::{Interval, PerTarget};
use crate::design::Design;
use crate::error::StatsError;
use crate::membership::Membership;
use crate::scratch::Scratch;

/// Collects the scores of all (target, record) pairs, tile by tile in any order, and reads their curves.
pub struct ScoreCurves<'a> {
    membership: Membership<'a>,
    units: &'a [u32],
    layout: Layout,
    sampling: Option<Sampling>,
    sorter: Sorter,
    scores: Collector<'a>,
}

/// The curves of an attack's scores.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreFindings {
    /// Over all pairs at once.
    pub pooled: Roc,
    /// Over the targets one by one.
    pub per_target: PerTarget,
    /// Two-way bootstrap interval of the pooled figures, if asked for.
    pub interval: Option<Interval>,
}

impl<'a> ScoreCurves<'a> {
    /// For the records of `units`, whose membership follows `design`; with intervals from so many bootstrap
    /// `replicates`, or none from 0. Holds about `memory` bytes of scores, the others being in `scratch`.
    ///
    /// # Errors
    /// If the shadows do not fit the design, or are more than 16,384; or a unit has no membership.
    pub fn try_new(
        membership: Membership<'a>,
        units: &'a [u32],
        design: &Design,
        seed: &Seed,
        replicates: usize,
        memory: usize,
        scratch: &'a dyn Scratch,
    ) -> Result<Self, StatsError> {
        Layout::check(membership.shadows())?;
        if let Some(record) = units.iter().position(|&unit| unit as usize >= membership.units()) {
            return Err(StatsError::Inputs(format!(
                "record {record} belongs to unit {}, but membership knows {} units only; give membership of \
                 every unit",
                units[record],
                membership.units()
            )));
        }
        let mut blocks = design.resolve(membership.shadows())?;
        let order = design.order(&membership);
        blocks.lost = order.sorted(&blocks.lost);
        let layout = Layout::per_shadow(membership.shadows());
        // Scores come with the shadows as given.
        let sampling = || Sampling::new(units, &blocks, seed, replicates).with_shadows(order);
        let sizes = Sizes::holding(memory);
        let cells = sizes.cells((units.len() * membership.shadows()) as u64);
        Ok(Self {
            membership,
            units,
            layout,
            sampling: (replicates > 0).then(sampling),
            sorter: Sorter::new(layout, cells),
            scores: Collector::new(layout, sizes, scratch),
        })
    }

    /// Takes the scores `[shadow][record of the tile]` of a tile; what is not finite is absent.
    ///
    /// # Errors
    /// If the tile is not of these records and shadows, or scratch room fails.
    pub fn take(&mut self, records: Range<usize>, scores: &[f64]) -> Result<(), StatsError> {
        let units = self
            .units
            .get(records.clone())
            .filter(|units| scores.len() == units.len() * self.membership.shadows());
        let Some(units) = units else {
            return Err(StatsError::Inputs(format!(
                "{} scores are none of {} shadows for records {} to {} of {}; give all of a tile",
                scores.len(),
                self.membership.shadows(),
                records.start,
                records.end,
                self.units.len()
            )));
        };
        if units.is_empty() {
            return Ok(());
        }
        let members = TileMembers::new(&self.membership, units);
        let group =
            |&unit: &u32| self.sampling.as_ref().map_or(0, |sampling| sampling.tag(self.layout, unit));
        let groups: Vec<u64> = units.iter().map(group).collect();
        let sorted = self.sorter.sort(scores, units.len(), |shadow| {
            let tags = groups.iter().zip(members.of(shadow));
            tags.map(move |(group, member)| group | (shadow as u64) << 1 | member)
        });
        self.scores.take(sorted)
    }

    /// Reads the curves.
    ///
    /// # Errors
    /// If scratch room fails.
    pub fn find(self) -> Result<ScoreFindings, StatsError> {
        let want = Want { pooled: true, curves: true, intervals: self.sampling.as_ref() };
        let found = self.scores.find(want)?;
        Ok(ScoreFindings {
            pooled: found.pooled.expect("the pooled curve was asked for"),
            per_target: per_target(&found.curves[..self.membership.shadows()]),
            interval: found.interval,
        })
    }
}
