//! The shadow models' architecture.

use super::check::Violations;
use super::draft::ModelDraft;

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
}

impl Model {
    const MAX_WIDTH: u32 = 16_384;
    const MAX_LAYERS: usize = 64;

    pub(super) fn check(draft: &ModelDraft, wrong: &mut Violations) -> Option<Self> {
        let words = [("logistic", false), ("mlp", true)];
        if wrong.word("model.architecture", &draft.architecture, &words)? {
            let layers = draft.widths.len();
            if !(1..=Self::MAX_LAYERS).contains(&layers) {
                let most = Self::MAX_LAYERS;
                wrong.push("model.widths", format!("{layers} hidden layers: give 1 to {most} widths"));
                return None;
            }
            for &width in &draft.widths {
                wrong.within("model.widths", width, 1, Self::MAX_WIDTH)?;
            }
            return Some(Self::Mlp { widths: draft.widths.clone() });
        }
        if !draft.widths.is_empty() {
            wrong.push("model.widths", "a logistic model has no hidden layers: leave widths out");
            return None;
        }
        Some(Self::Logistic)
    }

    pub(super) fn to_draft(&self) -> ModelDraft {
        ModelDraft { architecture: self.architecture().to_owned(), widths: self.widths().to_vec() }
    }

    /// The architecture's name, as files write it.
    pub fn architecture(&self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Mlp { .. } => "mlp",
        }
    }

    /// The hidden layers' widths; none for a logistic model.
    pub fn widths(&self) -> &[u32] {
        match self {
            Self::Logistic => &[],
            Self::Mlp { widths } => widths,
        }
    }
}
