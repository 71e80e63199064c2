//! The shadow models' architecture.

use super::check::Violations;
use super::draft::ModelDraft;
use crate::shape::{DataShape, Form};

/// An architecture with its capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// One linear layer from the features to the classes.
    Logistic,
    /// Linear layers with ReLU between them.
    Mlp {
        /// The hidden layers' widths.
        widths: Vec<u32>,
    },
    /// Residual blocks over the features of a table (Gorishniy et al. 2021, arXiv 2106.11959, section 3.2, with
    /// group norm for batch norm): pre-norm, two linear layers a block.
    TabResnet {
        /// Numbers between blocks, and within them.
        width: u32,
        /// Blocks.
        depth: u32,
    },
    /// Two convolutions of 3 x 3, each with ReLU and 2 x 2 maximum pooling, then two linear layers.
    Cnn {
        /// Channels of the first convolution; the second has twice, the hidden linear layer four times as many.
        width: u32,
    },
    /// A wide residual network (Zagoruyko and Komodakis 2016, arXiv 1605.07146), with group norm (Wu and He
    /// 2018, arXiv 1803.08494) for batch norm.
    Wrn {
        /// Convolutions along the longest way: 6 n + 4 for n blocks a stage.
        depth: u32,
        /// The stages have 16, 32 and 64 times as many channels.
        width: u32,
    },
    /// A residual network over time (Wang et al. 2017, arXiv 1611.06455; Strodthoff et al. 2021,
    /// arXiv 2004.13701), with group norm for batch norm.
    Resnet1d {
        /// Channels everywhere.
        width: u32,
        /// Blocks; every block but the first halves the points in time.
        depth: u32,
    },
}

#[derive(Clone, Copy)]
enum Kind {
    Logistic,
    Mlp,
    TabResnet,
    Cnn,
    Wrn,
    Resnet1d,
}

const WORDS: [(&str, Kind); 6] = [
    ("logistic", Kind::Logistic),
    ("mlp", Kind::Mlp),
    ("tab-resnet", Kind::TabResnet),
    ("cnn", Kind::Cnn),
    ("wrn", Kind::Wrn),
    ("resnet1d", Kind::Resnet1d),
];

impl Model {
    const MAX_WIDTH: u32 = 16_384;
    const MAX_LAYERS: usize = 64;

    pub(super) fn check(draft: &ModelDraft, wrong: &mut Violations) -> Option<Self> {
        let kind = wrong.word("model.architecture", &draft.architecture, &WORDS)?;
        let mistakes = wrong.iter().count();
        let widths = draft.widths.len();
        match kind {
            Kind::Mlp if !(1..=Self::MAX_LAYERS).contains(&widths) => {
                let most = Self::MAX_LAYERS;
                wrong.push("model.widths", format!("{widths} hidden layers: give 1 to {most} widths"));
            }
            Kind::Mlp => {
                for &width in &draft.widths {
                    wrong.within("model.widths", width, 1, Self::MAX_WIDTH)?;
                }
            }
            Kind::Logistic if widths > 0 => {
                wrong.push("model.widths", "a logistic model has no hidden layers: leave widths out");
            }
            _ if widths > 0 => {
                let message = format!("it belongs to \"mlp\": give {} a width", draft.architecture);
                wrong.push("model.widths", message);
            }
            _ => {}
        }
        let name = draft.architecture.as_str();
        let mut number = |key: &str, given: Option<u32>, allowed: Option<(u32, u32, u32)>| {
            let field = format!("model.{key}");
            match (given, allowed) {
                (Some(_), None) => {
                    wrong.push(&field, format!("a model \"{name}\" has no {key}: leave it out"));
                    0
                }
                (given, Some((default, low, high))) => {
                    wrong.within(&field, given.unwrap_or(default), low, high).unwrap_or(default)
                }
                (None, None) => 0,
            }
        };
        let (width, depth) = match kind {
            Kind::Logistic | Kind::Mlp => (None, None),
            Kind::TabResnet => (Some((300, 1, Self::MAX_WIDTH)), Some((6, 1, 64))),
            Kind::Cnn => (Some((32, 1, 1024)), None),
            Kind::Wrn => (Some((2, 1, 64)), Some((28, 10, 244))),
            Kind::Resnet1d => (Some((128, 1, 4096)), Some((3, 1, 16))),
        };
        let (width, depth) = (number("width", draft.width, width), number("depth", draft.depth, depth));
        if matches!(kind, Kind::Wrn) && depth % 6 != 4 {
            wrong.push("model.depth", format!("{depth} is not 6 n + 4: use 10, 16, 22, 28, 34 or 40"));
        }
        if wrong.iter().count() > mistakes {
            return None;
        }
        Some(match kind {
            Kind::Logistic => Self::Logistic,
            Kind::Mlp => Self::Mlp { widths: draft.widths.clone() },
            Kind::TabResnet => Self::TabResnet { width, depth },
            Kind::Cnn => Self::Cnn { width },
            Kind::Wrn => Self::Wrn { depth, width },
            Kind::Resnet1d => Self::Resnet1d { width, depth },
        })
    }

    pub(super) fn to_draft(&self) -> ModelDraft {
        ModelDraft {
            architecture: self.architecture().to_owned(),
            widths: self.widths().to_vec(),
            width: self.width(),
            depth: self.depth(),
        }
    }

    /// Checks that the model can be trained on data of `shape`.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_shape(&self, shape: &DataShape) -> Result<(), Violations> {
        let mut wrong = Violations::default();
        let name = self.architecture();
        let found = match shape.form {
            Form::Table => "a table",
            Form::Image { .. } => "images",
            Form::Signal { .. } => "signals",
        };
        let mut refuse = |needs: &str, instead: &str| {
            let message = format!("{name} needs {needs}, the data set holds {found}: use {instead}");
            wrong.push("model.architecture", message);
        };
        match (self, shape.form) {
            (Self::Cnn { .. }, Form::Image { height, width, .. }) if height < 4 || width < 4 => {
                let message =
                    format!("cnn halves images twice, these have {height} x {width} pixels: use wrn");
                wrong.push("model.architecture", message);
            }
            (Self::Cnn { .. } | Self::Wrn { .. }, Form::Table) => refuse("images", "mlp or tab-resnet"),
            (Self::Cnn { .. } | Self::Wrn { .. }, Form::Signal { .. }) => refuse("images", "resnet1d"),
            (Self::Resnet1d { .. }, Form::Table) => refuse("signals", "mlp or tab-resnet"),
            (Self::Resnet1d { .. }, Form::Image { .. }) => refuse("signals", "cnn or wrn"),
            _ => {}
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The architecture's name, as files write it.
    pub fn architecture(&self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Mlp { .. } => "mlp",
            Self::TabResnet { .. } => "tab-resnet",
            Self::Cnn { .. } => "cnn",
            Self::Wrn { .. } => "wrn",
            Self::Resnet1d { .. } => "resnet1d",
        }
    }

    /// Whether it has hidden units that dropout can leave out.
    pub fn has_hidden(&self) -> bool {
        *self != Self::Logistic
    }

    /// The hidden layers' widths of an `mlp`; none for the others.
    pub fn widths(&self) -> &[u32] {
        match self {
            Self::Mlp { widths } => widths,
            _ => &[],
        }
    }

    /// The one number for the width, where the architecture has one.
    pub fn width(&self) -> Option<u32> {
        match *self {
            Self::Logistic | Self::Mlp { .. } => None,
            Self::TabResnet { width, .. }
            | Self::Cnn { width }
            | Self::Wrn { width, .. }
            | Self::Resnet1d { width, .. } => Some(width),
        }
    }

    /// The number for the depth, where the architecture has one.
    pub fn depth(&self) -> Option<u32> {
        match *self {
            Self::Logistic | Self::Mlp { .. } | Self::Cnn { .. } => None,
            Self::TabResnet { depth, .. } | Self::Wrn { depth, .. } | Self::Resnet1d { depth, .. } => {
                Some(depth)
            }
        }
    }
}
