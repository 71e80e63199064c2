//! What an encoded data set says about itself: names, classes, and how every column became numbers.

use serde::{Deserialize, Serialize};

use umbra_core::shape::Form;

use crate::layout::Shape;
use crate::values::{Channel, channels_of};

/// Names and encoder of a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The label's column; of several labels, their columns' names in one text.
    pub label: String,
    /// The column that names units; `None` where every record is its own unit.
    pub unit: Option<String>,
    /// The names of the classes: class `c` is `class_names[c]`. With several labels, the labels' names.
    pub class_names: Vec<String>,
    /// The names of the features, in the order of a row; empty but for tables.
    pub feature_names: Vec<String>,
    /// The attributes of units with the names of their levels.
    pub attributes: Vec<(String, Vec<String>)>,
    /// The columns that became features, in the order of the file; features follow in this order. Empty but
    /// for tables.
    pub columns: Vec<EncodedColumn>,
    /// The channels of an image or leads of a signal, and what they are normalised by; empty for tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
}

/// One column of the table and the features it became.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncodedColumn {
    /// The column's name.
    pub name: String,
    /// How it is encoded.
    pub encoding: Encoding,
}

/// How a column is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// One feature `(x - mean) / sd`, a missing `x` taken as the median; then, if `indicator`, one feature
    /// that is 1 where the value is missing, else 0. Numbers count to single precision where that is
    /// harmless, so that a table is the same whatever format and precision it was saved in.
    Numeric {
        /// The median of the values that are there.
        median: f64,
        /// The mean, missing values filled.
        mean: f64,
        /// The population standard deviation, missing values filled.
        sd: f64,
        /// Whether a missing indicator follows.
        indicator: bool,
    },
    /// The values that are there are all alike: only the missing indicator.
    IndicatorOnly,
    /// One feature per level that is 1 where the value is that level, else 0; then, if `missing`, one for
    /// missing values.
    OneHot {
        /// The levels.
        levels: Vec<String>,
        /// Whether missing is a level, the last one.
        missing: bool,
    },
}

impl Encoding {
    /// Features per record.
    pub fn width(&self) -> usize {
        match self {
            Self::Numeric { indicator, .. } => 1 + usize::from(*indicator),
            Self::IndicatorOnly => 1,
            Self::OneHot { levels, missing } => levels.len() + usize::from(*missing),
        }
    }
}

impl Description {
    /// Whether the names are as many as the shape says.
    pub(crate) fn fits(&self, shape: &Shape) -> bool {
        let width = self.columns.iter().try_fold(0usize, |sum, c| sum.checked_add(c.encoding.width()));
        let features = if shape.form == Form::Table { shape.features as usize } else { 0 };
        self.class_names.len() == shape.classes as usize
            && self.feature_names.len() == features
            && self.attributes.len() == shape.attributes as usize
            && width == Some(features)
            && self.channels.len() == channels_of(&shape.form) as usize
            && self.channels.iter().all(Channel::is_sound)
    }
}
