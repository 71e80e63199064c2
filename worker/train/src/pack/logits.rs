//! The answers of a pack's shadows to every record.

use std::ops::Range;

use umbra_data::logits::{self, LogitsError, LogitsHeader};

/// The logits of a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct PackLogits {
    pub(super) shadows: Range<u32>,
    pub(super) records: usize,
    /// Logits per record.
    pub(super) width: usize,
    pub(super) lost: Vec<u32>,
    /// `[shadows][records][width]`; NaN for a lost shadow.
    pub(super) values: Vec<f32>,
}

impl PackLogits {
    /// The pack's shadows.
    pub fn shadows(&self) -> Range<u32> {
        self.shadows.clone()
    }

    /// Shadows that diverged twice, in order; their logits are NaN.
    pub fn lost(&self) -> &[u32] {
        &self.lost
    }

    /// One shadow's logits, `[records][width]`.
    ///
    /// # Panics
    /// If the pack has no such shadow.
    pub fn shadow(&self, shadow: u32) -> &[f32] {
        assert!(self.shadows.contains(&shadow), "no such shadow in the pack");
        let size = self.records * self.width;
        &self.values[(shadow - self.shadows.start) as usize * size..][..size]
    }

    pub(super) fn shadow_mut(&mut self, shadow: u32) -> &mut [f32] {
        let size = self.records * self.width;
        &mut self.values[(shadow - self.shadows.start) as usize * size..][..size]
    }

    /// The pack's blob, in the format of [`umbra_data::logits`]: the same bytes for the same logits.
    ///
    /// # Errors
    /// [`LogitsError`] where the shape exceeds what the format holds.
    pub fn encode(&self) -> Result<Vec<u8>, LogitsError> {
        let header = LogitsHeader {
            first_shadow: self.shadows.start,
            shadows: self.shadows.len() as u32,
            records: self.records as u64,
            queries: 1,
            classes: self.width as u32,
            lost: self.lost.clone(),
        };
        let shadows: Vec<&[f32]> = self.shadows.clone().map(|shadow| self.shadow(shadow)).collect();
        logits::encode(&header, &shadows)
    }
}
