//! From a specification and the data's shape to packs: pure and total.

use std::ops::Range;

use crate::ids::{Block, PackIndex};
use crate::shape::DataShape;
use crate::spec::AuditSpec;

/// The work of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The packs, by index.
    pub packs: Vec<PackPlan>,
    /// Optimiser steps of every shadow.
    pub steps: u64,
}

/// One pack: neighbouring shadows of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackPlan {
    /// Its index.
    pub index: PackIndex,
    /// The block it belongs to.
    pub block: Block,
    /// Its shadows.
    pub shadows: Range<u32>,
}

/// Cuts an audit into packs.
pub fn plan(spec: &AuditSpec, shape: &DataShape) -> Plan {
    let block = spec.shadows().block();
    let width = spec.placement().pack();
    let mut packs = Vec::new();
    for index in 0..spec.shadows().blocks() {
        let (first, end) = (index * block, (index + 1) * block);
        for start in (first..end).step_by(width as usize) {
            packs.push(PackPlan {
                index: PackIndex(packs.len() as u32),
                block: Block(index),
                shadows: start..end.min(start + width),
            });
        }
    }
    Plan { packs, steps: steps(spec, shape) }
}

/// Steps of every shadow: `ceil(epochs x expected half / batch)`, the same for all although shadows hold
/// different numbers of records, half of those that are not reserved for comparison expected; at least 1.
fn steps(spec: &AuditSpec, shape: &DataShape) -> u64 {
    let training = spec.training();
    let shared = match spec.shadows().population() {
        0.0 => shape.records,
        population => (shape.records as f64 * (1.0 - population)).ceil() as u64,
    };
    let half_passes = u128::from(training.epochs()) * u128::from(shared);
    let steps = half_passes.div_ceil(2 * u128::from(training.batch())).max(1);
    u64::try_from(steps).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{ModelDraft, ShadowsDraft, SpecDraft, TrainingDraft};

    fn spec(count: u32, block: u32, pack: u32) -> AuditSpec {
        let mut draft = SpecDraft {
            name: "a".into(),
            dataset: "d".into(),
            model: ModelDraft { architecture: "logistic".into(), widths: vec![], ..ModelDraft::default() },
            training: TrainingDraft {
                learning_rate: Some(0.1),
                batch: Some(256),
                epochs: Some(40),
                ..TrainingDraft::default()
            },
            shadows: ShadowsDraft { count: Some(count), block: Some(block), population: None },
            ..SpecDraft::default()
        };
        draft.placement.pack = Some(pack);
        AuditSpec::try_new(&draft).unwrap()
    }

    #[test]
    fn packs_cover_every_shadow_once_and_never_cross_blocks() {
        let shape = DataShape::table(9105, 9105, 51, 2);
        for (count, block, width) in [(64, 16, 4), (64, 16, 5), (16, 16, 16), (24, 8, 3)] {
            let plan = plan(&spec(count, block, width), &shape);
            let mut next = 0;
            for (i, pack) in plan.packs.iter().enumerate() {
                assert_eq!(pack.index.0 as usize, i);
                assert_eq!(pack.shadows.start, next);
                assert!(pack.shadows.len() <= width as usize && !pack.shadows.is_empty());
                assert_eq!(pack.shadows.start / block, pack.block.0);
                assert_eq!((pack.shadows.end - 1) / block, pack.block.0);
                next = pack.shadows.end;
            }
            assert_eq!(next, count);
            // 40 x 4552.5 / 256 = 711.3.
            assert_eq!(plan.steps, 712);
        }
        let mut draft = spec(16, 16, 4).to_draft();
        draft.shadows.population = Some(0.1);
        // 9,105 less a tenth is 8,194.5; 40 x 8,195 / 2 / 256 = 640.2.
        assert_eq!(plan(&AuditSpec::try_new(&draft).unwrap(), &shape).steps, 641);
    }

    #[test]
    fn absurd_shapes_do_not_overflow() {
        let shape = DataShape::table(u64::MAX, 1, 1, 2);
        assert!(plan(&spec(8, 8, 8), &shape).steps > 1 << 60);
        let empty = DataShape::table(0, 0, 0, 0);
        assert_eq!(plan(&spec(8, 8, 8), &empty).steps, 1);
    }
}
