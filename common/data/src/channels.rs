//! The channels of records before their numbers are seen: names, and what the schema says to normalise by.

use umbra_core::shape::Form;

use crate::refusal::Problems;
use crate::schema::{Normalize, Schema};
use crate::values::channels_of;

/// A channel to come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planned {
    pub name: String,
    /// Mean and standard deviation, in stored numbers; measured where it is `None`.
    pub given: Option<(f64, f64)>,
}

/// Channels of these names; `units` are the stored numbers of one unit of scale, a channel each or one for
/// all. Notes pairs that are not as many as channels.
pub(crate) fn plan(
    names: Vec<String>,
    normalize: &Normalize,
    units: &[f64],
    schema: &Schema,
    problems: &mut Problems,
) -> Option<Vec<Planned>> {
    let count = names.len();
    let pairs: Vec<Option<(f64, f64)>> = match normalize {
        Normalize::Standard => vec![None],
        Normalize::None => vec![Some((0.0, 1.0))],
        Normalize::Scale => units.iter().map(|&unit| Some((0.0, unit))).collect(),
        Normalize::Given { pairs, key, line } => {
            if pairs.len() != 1 && pairs.len() != count {
                let message = format!(
                    "{} pairs of mean and standard deviation for {count} channels: give one for all, or one each",
                    pairs.len()
                );
                problems.schema(&schema.file, *line, key, message);
                return None;
            }
            pairs.iter().copied().map(Some).collect()
        }
    };
    let given = |i: usize| pairs.get(i).or(pairs.first()).copied().flatten();
    Some(names.into_iter().enumerate().map(|(i, name)| Planned { name, given: given(i) }).collect())
}

/// What channels are called where nobody says it.
pub(crate) fn usual_names(form: &Form) -> Vec<String> {
    let count = channels_of(form);
    let name = |i: u32| match (form, count) {
        (Form::Image { .. }, 1) => "grey".to_owned(),
        (Form::Image { .. }, 3) => ["red", "green", "blue"][i as usize % 3].to_owned(),
        (Form::Signal { .. }, _) => format!("lead {}", i + 1),
        _ => format!("channel {}", i + 1),
    };
    (0..count).map(name).collect()
}
