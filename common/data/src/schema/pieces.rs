//! What a schema says of arrays, images and signals.

use super::Named;

/// What the file holds and where the records are in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    Table,
    Array(ArrayKeys),
    Images(ImageKeys),
    Wfdb(WfdbKeys),
}

/// Of arrays.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArrayKeys {
    /// The array of an NPZ file that holds the records.
    pub data: Named,
    pub layout: Option<AxisOrder>,
    /// A table beside the arrays, row for row.
    pub attributes: Option<Named>,
    pub channel_names: Vec<Named>,
    pub normalize: Normalize,
}

/// Of images.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageKeys {
    /// The manifest's column of paths.
    pub path: Named,
    /// The folder that paths begin in, from the manifest.
    pub folder: Option<Named>,
    /// Height and width that images are resized to.
    pub size: Option<(u32, u32)>,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: Option<u32>,
    pub normalize: Normalize,
}

/// Of WFDB records.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WfdbKeys {
    /// The manifest's column of paths.
    pub path: Named,
    /// The folder that paths begin in, from the manifest.
    pub folder: Option<Named>,
    /// Points in time that are taken from the front of every record.
    pub samples: Option<u32>,
    /// The signals that are taken, in this order; all where it is empty.
    pub leads: Vec<Named>,
    pub normalize: Normalize,
}

/// The axes of an array after that of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AxisOrder {
    /// Height, width.
    Hw,
    /// Height, width, channels.
    Hwc,
    /// Channels, height, width.
    Chw,
    /// Time.
    T,
    /// Time, channels.
    Tc,
    /// Channels, time.
    Ct,
}

/// What numbers are normalised by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Normalize {
    /// Mean and standard deviation of every channel over all records.
    Standard,
    /// Nothing.
    None,
    /// To at most 1, or to physical units where the file knows them.
    Scale,
    /// Mean and standard deviation, of every channel or of all.
    Given { pairs: Vec<(f64, f64)>, key: String, line: u32 },
}

impl Source {
    /// The column of paths.
    pub(crate) fn path(&self) -> Option<&Named> {
        match self {
            Self::Table | Self::Array(_) => None,
            Self::Images(keys) => Some(&keys.path),
            Self::Wfdb(keys) => Some(&keys.path),
        }
    }
}

impl AxisOrder {
    /// Every order by its word.
    pub(crate) const ALL: [(&str, Self); 6] = [
        ("HW", Self::Hw),
        ("HWC", Self::Hwc),
        ("CHW", Self::Chw),
        ("T", Self::T),
        ("TC", Self::Tc),
        ("CT", Self::Ct),
    ];

    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, order)| *order == self).map_or("", |(name, _)| name)
    }
}
