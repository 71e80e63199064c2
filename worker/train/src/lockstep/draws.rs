//! What passes through the model draw: variations of records, and masks of hidden units.

use umbra_core::seed::Seed;

use crate::augment::{self, Variation};
use crate::backend::Varied;
use crate::dropout::{self, Masks};

/// What is drawn in the latest step or query, by the shadow on each lane.
pub(super) struct Draws {
    variation: Option<Variation>,
    /// Whether units are left out of steps.
    drops: bool,
    shadows: Vec<(Seed, u32)>,
    /// Where records are varied now: the place of the first.
    varied: Option<u32>,
    /// Whether units are left out now.
    masked: bool,
    /// The keys of variations on each lane, and those of masks.
    variation_keys: Vec<[u32; 2]>,
    mask_keys: Vec<[u32; 2]>,
}

impl Draws {
    pub(super) fn new(variation: Option<Variation>, drops: bool, lanes: usize) -> Self {
        let keys = vec![[0; 2]; lanes];
        Self {
            variation,
            drops,
            shadows: vec![(Seed::new(0), 0); lanes],
            varied: None,
            masked: false,
            variation_keys: keys.clone(),
            mask_keys: keys,
        }
    }

    /// Notes which shadow is on a lane.
    pub(super) fn place(&mut self, lane: usize, seed: &Seed, shadow: u32) {
        self.shadows[lane] = (seed.clone(), shadow);
    }

    /// Nothing is drawn from now on.
    pub(super) fn nothing(&mut self) {
        (self.varied, self.masked) = (None, false);
    }

    /// All that training draws in `step`.
    pub(super) fn step(&mut self, step: u64) {
        self.varied = self.variation.map(|_| 0);
        self.masked = self.drops;
        for (lane, (seed, shadow)) in self.shadows.iter().enumerate() {
            if self.varied.is_some() {
                self.variation_keys[lane] = augment::key(seed, *shadow, step);
            }
            if self.masked {
                self.mask_keys[lane] = dropout::key(seed, *shadow, step);
            }
        }
    }

    /// What view `view` of records from `first` on draws.
    pub(super) fn view(&mut self, view: u32, first: u32) {
        assert!(view == 0 || self.variation.is_some(), "views beyond the first are made by a variation");
        self.nothing();
        if view > 0 {
            self.varied = Some(first);
            // Shadows of one audit; a lane without one computes along.
            self.variation_keys.fill(augment::view_key(&self.shadows[0].0, view));
        }
    }

    /// How records are varied now, if at all.
    pub(super) fn varied(&self) -> Option<Varied<'_>> {
        let (variation, place) = self.variation.as_ref().zip(self.varied)?;
        Some(Varied { variation, keys: &self.variation_keys, place })
    }

    /// What is masked now, if anything is, among records from `from` on in their batch.
    pub(super) fn masks(&self, from: usize) -> Option<Masks<'_>> {
        self.masked.then_some(Masks { keys: &self.mask_keys, place: from as u32 })
    }
}
