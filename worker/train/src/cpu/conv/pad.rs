//! Images with zeros around them.

use crate::backend::ConvShape;
use crate::layers::Extent;

/// Pixels of zeros around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Padding {
    pub top: usize,
    pub bottom: usize,
    pub left: usize,
    pub right: usize,
}

impl Padding {
    pub(super) fn forward(shape: &ConvShape) -> Self {
        let (y, x) = shape.padding;
        Self { top: y, bottom: y, left: x, right: x }
    }

    fn is_none(&self) -> bool {
        self.top + self.bottom + self.left + self.right == 0
    }

    /// Floats of a padded image; none where there is no padding.
    pub(super) fn len(&self, extent: &Extent, pixel: usize) -> usize {
        let (height, width) = (self.top + extent.height + self.bottom, self.left + extent.width + self.right);
        if self.is_none() { 0 } else { height * width * pixel }
    }

    /// The image with zeros around it, and the pixels of its lines.
    pub(super) fn around<'a>(
        &self,
        extent: &Extent,
        pixel: usize,
        image: &'a [f32],
        padded: &'a mut [f32],
    ) -> (&'a [f32], usize) {
        if self.is_none() {
            return (image, extent.width);
        }
        let width = self.left + extent.width + self.right;
        let line = width * pixel;
        let (from, to) = (self.left * pixel, (self.left + extent.width) * pixel);
        let padded = &mut padded[..self.len(extent, pixel)];
        let mut lines = padded.chunks_exact_mut(line);
        lines.by_ref().take(self.top).for_each(|line| line.fill(0.0));
        for (line, source) in lines.by_ref().zip(image.chunks_exact(extent.width * pixel)).take(extent.height)
        {
            line[..from].fill(0.0);
            line[from..to].copy_from_slice(source);
            line[to..].fill(0.0);
        }
        let tail = padded.len() - self.bottom * line;
        padded[tail..].fill(0.0);
        (padded, width)
    }
}
