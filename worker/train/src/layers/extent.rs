//! How the numbers of one record lie between two layers.

/// The numbers of one record: `[height][width][channels]`, channels last. What has no space, such as a row of a
/// table, is one pixel; a signal over time has height 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Extent {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Numbers of a pixel.
    pub channels: usize,
    /// Whether pixels follow each other without padding, as in the data; else each is padded by itself.
    pub dense: bool,
}

impl Extent {
    /// One pixel of so many numbers.
    pub fn flat(channels: usize) -> Self {
        Self { height: 1, width: 1, channels, dense: false }
    }

    /// Padded pixels.
    pub fn space(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels, dense: false }
    }

    /// How many pixels.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// How many numbers, without padding.
    pub fn numbers(&self) -> usize {
        self.pixels() * self.channels
    }

    /// Floats from pixel to pixel where rows are padded by `pitch`.
    pub fn pixel(&self, pitch: impl Fn(usize) -> usize) -> usize {
        if self.dense { self.channels } else { pitch(self.channels) }
    }

    /// Floats from record to record where rows are padded by `pitch`.
    pub fn record(&self, pitch: impl Fn(usize) -> usize) -> usize {
        if self.dense { pitch(self.numbers()) } else { self.pixels() * pitch(self.channels) }
    }
}
