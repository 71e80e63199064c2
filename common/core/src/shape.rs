//! The shape of an encoded data set.

/// The shape of an encoded data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DataShape {
    /// Records: rows, images or ECGs.
    pub records: u64,
    /// Units: patients, or records where there is no patient.
    pub units: u64,
    /// Numbers per record.
    pub features: u32,
    /// Classes of the label; of several labels a record ([`Targets::Labels`]) their number.
    pub classes: u32,
    /// How a record's numbers lie.
    pub form: Form,
    /// What a record's label is.
    pub targets: Targets,
}

/// How the numbers of one record lie. Channels come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// One number a feature.
    Table,
    /// `[height][width][channels]`.
    Image {
        /// Rows of pixels.
        height: u32,
        /// Pixels of a row.
        width: u32,
        /// Numbers of a pixel.
        channels: u32,
    },
    /// `[samples][leads]`: an ECG, or another signal over time.
    Signal {
        /// Points in time.
        samples: u32,
        /// Numbers of a point in time.
        leads: u32,
    },
}

/// What a record's label is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Targets {
    /// One of several classes.
    Class,
    /// Several labels, each of which holds, does not hold, or is not known.
    Labels,
}

impl DataShape {
    /// A table with one class a record.
    pub fn table(records: u64, units: u64, features: u32, classes: u32) -> Self {
        Self { records, units, features, classes, form: Form::Table, targets: Targets::Class }
    }
}

impl Form {
    /// Numbers per record; `None` for a table, which has as many as it has features, and where there are
    /// more than a `u32` holds.
    pub fn features(&self) -> Option<u32> {
        match *self {
            Self::Table => None,
            Self::Image { height, width, channels } => height.checked_mul(width)?.checked_mul(channels),
            Self::Signal { samples, leads } => samples.checked_mul(leads),
        }
    }
}
