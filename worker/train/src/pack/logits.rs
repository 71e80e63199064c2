//! The answers of a pack's shadows to every record.

use std::ops::Range;

use umbra_data::logits::{self, LogitsError, LogitsHeader};

/// The logits of a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct PackLogits {
    pub(super) shadows: Range<u32>,
    pub(super) records: usize,
    pub(super) queries: usize,
    /// Logits of one answer.
    pub(super) width: usize,
    pub(super) lost: Vec<u32>,
    /// `[shadows][records][queries][width]`; NaN for a lost shadow.
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

    /// One shadow's logits, `[records][queries][width]`.
    ///
    /// # Panics
    /// If the pack has no such shadow.
    pub fn shadow(&self, shadow: u32) -> &[f32] {
        assert!(self.shadows.contains(&shadow), "no such shadow in the pack");
        let size = self.records * self.row();
        &self.values[(shadow - self.shadows.start) as usize * size..][..size]
    }

    /// One shadow's logits of one record.
    fn row(&self) -> usize {
        self.queries * self.width
    }

    /// Puts a shadow's answers to query `query` about the records from `first` on, `[count][width]`, in their places.
    pub(super) fn put(&mut self, shadow: u32, first: usize, query: usize, answers: &[f32]) {
        let (row, width) = (self.row(), self.width);
        let rows = self.shadow_mut(shadow)[first * row..].chunks_exact_mut(row);
        for (row, answers) in rows.zip(answers.chunks_exact(width)) {
            row[query * width..][..width].copy_from_slice(answers);
        }
    }

    pub(super) fn shadow_mut(&mut self, shadow: u32) -> &mut [f32] {
        let size = self.records * self.row();
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
            queries: self.queries as u32,
            classes: self.width as u32,
            lost: self.lost.clone(),
        };
        let shadows: Vec<&[f32]> = self.shadows.clone().map(|shadow| self.shadow(shadow)).collect();
        logits::encode(&header, &shadows)
    }
}
