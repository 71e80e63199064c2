//! What groups are formed by: the levels of an attribute, or of two attributes crossed.

use crate::error::StatsError;
use crate::inputs::Attribute;

/// Groups of fewer patients are merged.
const LEAST_PATIENTS: u64 = 10;

/// Levels that an attribute or an intersection may have, one for "missing" included.
const MOST_LEVELS: usize = u16::MAX as usize;

/// One way to divide the patients.
pub(super) enum Partition<'a> {
    /// By an attribute; its place in the list of attributes.
    Single(usize, &'a Attribute),
    /// By two.
    Crossed((usize, &'a Attribute), (usize, &'a Attribute)),
}

/// The groups that a partition ends up with.
pub(super) struct Grouping {
    pub groups: Vec<Group>,
    /// The group of every level.
    pub of_level: Vec<u16>,
}

pub(super) struct Group {
    pub name: String,
    pub levels: Vec<String>,
}

/// Every attribute, then the intersections.
pub(super) fn partitions<'a>(
    attributes: &'a [Attribute],
    intersections: &[(String, String)],
) -> Result<Vec<Partition<'a>>, StatsError> {
    let wrong = |sentence: String| Err(StatsError::Config(sentence));
    let mut partitions = Vec::new();
    for (place, attribute) in attributes.iter().enumerate() {
        if slots(attribute) > MOST_LEVELS {
            return wrong(format!(
                "attribute '{}' has {} levels; group them into fewer than {MOST_LEVELS}",
                attribute.name,
                attribute.levels.len()
            ));
        }
        partitions.push(Partition::Single(place, attribute));
    }
    for (i, (a, b)) in intersections.iter().enumerate() {
        let find = |name: &String| {
            attributes.iter().enumerate().find(|(_, attribute)| attribute.name == *name).ok_or_else(|| {
                let known: Vec<&str> = attributes.iter().map(|attribute| &*attribute.name).collect();
                StatsError::Config(match known[..] {
                    [] => format!("intersection '{a} x {b}': there are no attributes to cross"),
                    _ => format!(
                        "intersection '{a} x {b}': attribute '{name}' does not exist; choose among {}",
                        known.join(", ")
                    ),
                })
            })
        };
        let (first, second) = (find(a)?, find(b)?);
        if a == b {
            return wrong(format!("intersection '{a} x {b}' crosses an attribute with itself; name two"));
        }
        if intersections[..i].iter().any(|(c, d)| (a, b) == (c, d) || (a, b) == (d, c)) {
            return wrong(format!("intersection '{a} x {b}' is listed twice; list it once"));
        }
        let levels = slots(first.1).saturating_mul(slots(second.1));
        if levels > MOST_LEVELS {
            return wrong(format!(
                "intersection '{a} x {b}' has {levels} levels; cross attributes with at most {MOST_LEVELS} \
                 together"
            ));
        }
        partitions.push(Partition::Crossed(first, second));
    }
    Ok(partitions)
}

/// Levels, and one for "missing".
fn slots(attribute: &Attribute) -> usize {
    attribute.levels.len() + 1
}

/// The level of a unit; what is missing comes after the levels. It fits, as `partitions` made sure.
pub(super) fn slot(attribute: &Attribute, unit: usize) -> u16 {
    attribute.values.get(unit).map_or(attribute.levels.len(), |level| level as usize) as u16
}

fn slot_name(attribute: &Attribute, slot: usize) -> &str {
    attribute.levels.get(slot).map_or("missing", |name| name)
}

impl Partition<'_> {
    pub fn name(&self) -> String {
        match self {
            Self::Single(_, attribute) => attribute.name.clone(),
            Self::Crossed((_, a), (_, b)) => format!("{} x {}", a.name, b.name),
        }
    }

    pub fn crossed(&self) -> Option<[String; 2]> {
        match self {
            Self::Single(..) => None,
            Self::Crossed((_, a), (_, b)) => Some([a.name.clone(), b.name.clone()]),
        }
    }

    pub fn levels(&self) -> usize {
        match self {
            Self::Single(_, attribute) => slots(attribute),
            Self::Crossed((_, a), (_, b)) => slots(a) * slots(b),
        }
    }

    /// The level of a patient, given its [`slot`] of every attribute.
    pub fn level(&self, slots_of: &[u16]) -> usize {
        match *self {
            Self::Single(place, _) => usize::from(slots_of[place]),
            Self::Crossed((a, _), (b, second)) => {
                usize::from(slots_of[a]) * slots(second) + usize::from(slots_of[b])
            }
        }
    }

    fn level_name(&self, level: usize) -> String {
        match self {
            Self::Single(_, attribute) => slot_name(attribute, level).to_owned(),
            Self::Crossed((_, a), (_, b)) => {
                let (first, second) = (level / slots(b), level % slots(b));
                format!("{} x {}", slot_name(a, first), slot_name(b, second))
            }
        }
    }

    /// Levels as they are, small ones merged into "other"; if that is small still, the next smallest joins
    /// it. `sizes` holds the patients of every level.
    pub fn group(&self, sizes: &[u64]) -> Grouping {
        let present: Vec<usize> = (0..sizes.len()).filter(|&level| sizes[level] > 0).collect();
        let mut merged: Vec<usize> =
            present.iter().copied().filter(|&level| sizes[level] < LEAST_PATIENTS).collect();
        if !merged.is_empty() && merged.iter().map(|&level| sizes[level]).sum::<u64>() < LEAST_PATIENTS {
            let others = present.iter().copied().filter(|level| !merged.contains(level));
            let next = others.min_by_key(|&level| sizes[level]);
            merged.extend(next);
            merged.sort_unstable();
        }
        let mut groups = Vec::new();
        let mut of_level = vec![0; sizes.len()];
        let mut form = |levels: &[usize], name: Option<&str>| {
            levels.iter().for_each(|&level| of_level[level] = groups.len() as u16);
            let levels: Vec<String> = levels.iter().map(|&level| self.level_name(level)).collect();
            let name = name.unwrap_or(&levels[0]).to_owned();
            groups.push(Group { name, levels });
        };
        present.iter().filter(|level| !merged.contains(level)).for_each(|&level| form(&[level], None));
        match merged[..] {
            [] => {}
            [_] => form(&merged, None),
            _ => form(&merged, Some("other")),
        }
        Grouping { groups, of_level }
    }
}
