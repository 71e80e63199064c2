//! How many shadows there are, how they are asked, and how the work is cut up.

use super::check::Violations;
use super::draft::{PlacementDraft, QueriesDraft, ShadowsDraft};

/// The shadows and their blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadows {
    count: u32,
    block: u32,
    population: f64,
}

impl Shadows {
    /// The smallest block: 8 shadows, of which 4 train on a unit.
    pub const MIN_BLOCK: u32 = 8;
    /// The largest block.
    pub const MAX_BLOCK: u32 = 64;
    /// The largest share of units that is reserved.
    pub const MAX_POPULATION: f64 = 0.5;
    /// The largest block that is chosen without being asked for.
    const MAX_DEFAULT_BLOCK: u32 = 20;
    /// The most shadows of one audit.
    pub const MAX_COUNT: u32 = 65_536;

    pub(super) fn check(draft: &ShadowsDraft, wrong: &mut Violations) -> Option<Self> {
        let population = draft.population.unwrap_or(0.0);
        let population = wrong.within("shadows.population", population, 0.0, Self::MAX_POPULATION);
        let count = draft.count.unwrap_or(128);
        let count = wrong.within("shadows.count", count, Self::MIN_BLOCK, Self::MAX_COUNT)?;
        let block = match draft.block {
            Some(block) => {
                let block = wrong.within("shadows.block", block, Self::MIN_BLOCK, Self::MAX_BLOCK)?;
                if block % 2 != 0 || count % block != 0 {
                    let message = format!("{block} must be even and divide count = {count}");
                    wrong.push("shadows.block", message);
                    return None;
                }
                block
            }
            None => {
                let block = (Self::MIN_BLOCK..=Self::MAX_DEFAULT_BLOCK)
                    .rev()
                    .find(|block| block % 2 == 0 && count % block == 0);
                if block.is_none() {
                    wrong.push(
                        "shadows.count",
                        format!("{count} cannot be cut into even blocks of 8 to 20: use a multiple of 16"),
                    );
                }
                block?
            }
        };
        Some(Self { count, block, population: population? })
    }

    pub(super) fn to_draft(&self) -> ShadowsDraft {
        ShadowsDraft { count: Some(self.count), block: Some(self.block), population: Some(self.population) }
    }

    /// How many shadows.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Shadows per block; every unit is IN exactly half of them.
    pub fn block(&self) -> u32 {
        self.block
    }

    /// The share of units that no shadow trains on.
    pub fn population(&self) -> f64 {
        self.population
    }

    /// How many blocks.
    pub fn blocks(&self) -> u32 {
        self.count / self.block
    }
}

/// How records are put to the shadows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queries {
    views: u32,
}

impl Queries {
    /// The most views of a record.
    pub const MAX_VIEWS: u32 = 64;

    /// `varied`: whether the recipe has an augmentation, which makes all views but the first.
    pub(super) fn check(draft: &QueriesDraft, varied: bool, wrong: &mut Violations) -> Option<Self> {
        let views = wrong.within("queries.views", draft.views.unwrap_or(1), 1, Self::MAX_VIEWS)?;
        if views > 1 && !varied {
            let message = format!(
                "[augment] makes all views but the first and is empty: fill it in or use 1, not {views}"
            );
            wrong.push("queries.views", message);
            return None;
        }
        Some(Self { views })
    }

    pub(super) fn to_draft(&self) -> QueriesDraft {
        QueriesDraft { views: Some(self.views) }
    }

    /// Views per record: the clean record, then augmented ones, the same for every shadow.
    pub fn views(&self) -> u32 {
        self.views
    }
}

/// How the work is cut up. No result depends on it, and no result key contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pack: u32,
    checkpoint_steps: u64,
    priority: i32,
    weight: u32,
    max_slots: Option<u32>,
    keep_weights: bool,
}

impl Placement {
    /// The highest priority, and the lowest below 0.
    pub const MAX_PRIORITY: i32 = 100;
    /// The largest weight.
    pub const MAX_WEIGHT: u32 = 1000;
    /// The largest limit of slots.
    pub const MAX_SLOTS: u32 = 1_000_000;

    pub(super) fn check(draft: &PlacementDraft, block: Option<u32>, wrong: &mut Violations) -> Option<Self> {
        let block = block.unwrap_or(Shadows::MAX_BLOCK);
        let pack = draft.pack.unwrap_or(4.min(block));
        let pack = wrong.within("placement.pack", pack, 1, block);
        let steps = draft.checkpoint_steps.unwrap_or(1000);
        let steps = wrong.within("placement.checkpoint_steps", steps, 1, 1_000_000_000);
        let priority = draft.priority.unwrap_or(0);
        let priority = wrong.within("placement.priority", priority, -Self::MAX_PRIORITY, Self::MAX_PRIORITY);
        let weight = wrong.within("placement.weight", draft.weight.unwrap_or(1), 1, Self::MAX_WEIGHT);
        let max_slots = match draft.max_slots {
            Some(slots) => Some(wrong.within("placement.max_slots", slots, 1, Self::MAX_SLOTS)?),
            None => None,
        };
        Some(Self {
            pack: pack?,
            checkpoint_steps: steps?,
            priority: priority?,
            weight: weight?,
            max_slots,
            keep_weights: draft.keep_weights.unwrap_or(false),
        })
    }

    pub(super) fn to_draft(&self) -> PlacementDraft {
        // What is as ever is left out: an audit that asks for nothing special reads as it always did.
        PlacementDraft {
            pack: Some(self.pack),
            checkpoint_steps: Some(self.checkpoint_steps),
            priority: Some(self.priority).filter(|priority| *priority != 0),
            weight: Some(self.weight).filter(|weight| *weight != 1),
            max_slots: self.max_slots,
            keep_weights: Some(true).filter(|_| self.keep_weights),
        }
    }

    /// The most shadows of a pack; packs never cross blocks.
    pub fn pack(&self) -> u32 {
        self.pack
    }

    /// Higher goes first.
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// Its share among audits of its priority.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// The most slots at a time; none for any number.
    pub fn max_slots(&self) -> Option<u32> {
        self.max_slots
    }

    /// Whether the shadows' weights stay in the blob store, so that an audit that puts other queries to the same
    /// shadows need not train them again.
    pub fn keep_weights(&self) -> bool {
        self.keep_weights
    }

    /// Steps (summed over a pack's shadows on a CPU slot) between checkpoints.
    pub fn checkpoint_steps(&self) -> u64 {
        self.checkpoint_steps
    }
}
