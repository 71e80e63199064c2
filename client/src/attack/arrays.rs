//! The arrays that were named, and whether they belong together.

use std::path::Path;

use umbra_data::npy::{Dtype, Kind, NpyFile};
use umbra_stats::Shape;

use super::options::Mistakes;

/// Which arrays are read.
#[derive(Debug, Clone, Copy)]
pub struct Paths<'a> {
    /// Logits, `[shadows, records, (queries,) classes]`.
    pub logits: &'a Path,
    /// Labels, `[records]` or `[records, classes]`.
    pub labels: &'a Path,
    /// Membership, `[shadows, records]`.
    pub membership: &'a Path,
    /// Units, `[records]`.
    pub units: Option<&'a Path>,
    /// Logits and labels of a population.
    pub population: Option<(&'a Path, &'a Path)>,
}

/// Arrays whose types and shapes fit each other; their values are still to be looked at.
#[derive(Debug)]
pub struct Arrays {
    /// `[shadows, records, (queries,) classes]`.
    pub logits: NpyFile,
    /// `[records]` or `[records, classes]`.
    pub labels: NpyFile,
    /// `[shadows, records]`.
    pub membership: NpyFile,
    /// `[records]`.
    pub units: Option<NpyFile>,
    /// Logits `[shadows, population, (queries,) classes]` and labels of records no shadow was trained on.
    pub population: Option<(NpyFile, NpyFile)>,
    /// The extent of the logits.
    pub shape: Shape,
}

impl Arrays {
    /// Opens the arrays and checks their types and shapes against each other. All mistakes go to `wrong`;
    /// `None` if there is one.
    pub fn open(paths: &Paths<'_>, wrong: &mut Mistakes) -> Option<Self> {
        let before = wrong.count();
        let mut open = |path: &Path| NpyFile::open(path).map_err(|error| wrong.push(error.to_string())).ok();
        let logits = open(paths.logits);
        let labels = open(paths.labels);
        let membership = open(paths.membership);
        let units = paths.units.map(&mut open);
        let population = paths.population.map(|(logits, labels)| (open(logits), open(labels)));

        let shape = logits.as_ref().and_then(|file| shape_of(file, wrong));
        if let (Some(shape), Some(file)) = (&shape, &labels) {
            check_labels(file, shape, wrong);
        }
        if let (Some(shape), Some(file)) = (&shape, &membership) {
            check_membership(file, shape, wrong);
        }
        if let (Some(shape), Some(Some(file))) = (&shape, &units) {
            check_units(file, shape, wrong);
        }
        if let (Some(shape), Some((logits, labels))) = (&shape, &population) {
            let found = logits.as_ref().and_then(|file| shape_of(file, wrong));
            if let (Some(found), Some(file)) = (&found, logits)
                && (Shape { records: shape.records, ..*found }) != *shape
            {
                wrong.push(fault(
                    file,
                    format!(
                        "it is {}, the audit's logits are {}; query the same shadows in the same way about both",
                        spell(file.shape()),
                        spell(&lengths(shape))
                    ),
                ));
            }
            if let (Some(found), Some(file)) = (&found, labels) {
                check_labels(file, found, wrong);
            }
        }
        if wrong.count() > before {
            return None;
        }
        let population = match population {
            Some((logits, labels)) => Some((logits?, labels?)),
            None => None,
        };
        Some(Self {
            logits: logits?,
            labels: labels?,
            membership: membership?,
            units: units.flatten(),
            population,
            shape: shape?,
        })
    }
}

/// The extent of a matrix of logits.
fn shape_of(file: &NpyFile, wrong: &mut Mistakes) -> Option<Shape> {
    if file.dtype().kind != Kind::Float {
        wrong.push(fault(file, format!("it holds {}; give logits as float32 or float64", file.dtype())));
        return None;
    }
    let shape = match *file.shape() {
        [shadows, records, classes] => Shape { shadows, records, queries: 1, classes },
        [shadows, records, queries, classes] => Shape { shadows, records, queries, classes },
        _ => {
            wrong.push(fault(
                file,
                format!(
                    "it is {}; give [shadows, records, classes] or [shadows, records, queries, classes], a \
                     single sigmoid logit being one class: logits[..., None]",
                    spell(file.shape())
                ),
            ));
            return None;
        }
    };
    if file.shape().contains(&0) {
        wrong.push(fault(file, format!("it is {}: there is nothing in it", spell(file.shape()))));
        return None;
    }
    // Records and units are counted in 32 bits.
    if u32::try_from(shape.records).is_err() || u32::try_from(shape.shadows).is_err() {
        wrong.push(fault(file, "it has more than 4,294,967,295 shadows or records; give fewer".to_owned()));
        return None;
    }
    Some(shape)
}

fn check_labels(file: &NpyFile, shape: &Shape, wrong: &mut Mistakes) {
    let (records, classes) = (shape.records, shape.classes);
    if !file.dtype().is_integer() {
        let what = format!("it holds {}; give labels as whole numbers, counted from 0", file.dtype());
        wrong.push(fault(file, what));
    }
    if *file.shape() != [records] && *file.shape() != [records, classes] {
        let what = format!(
            "it is {}, there are logits of {records} records and {classes} classes; give [{records}], or \
             [{records}, {classes}] for several labels a record",
            spell(file.shape())
        );
        wrong.push(fault(file, what));
    }
}

fn check_membership(file: &NpyFile, shape: &Shape, wrong: &mut Mistakes) {
    let Dtype { kind, size, .. } = file.dtype();
    if size != 1 || !matches!(kind, Kind::Bool | Kind::Signed | Kind::Unsigned) {
        let what = format!("it holds {}; save membership as bool: membership.astype(bool)", file.dtype());
        wrong.push(fault(file, what));
    }
    let (shadows, records) = (shape.shadows, shape.records);
    if *file.shape() != [shadows, records] {
        let what = format!(
            "it is {}, there are logits of {shadows} shadows and {records} records; give [{shadows}, {records}]",
            spell(file.shape())
        );
        wrong.push(fault(file, what));
    }
}

fn check_units(file: &NpyFile, shape: &Shape, wrong: &mut Mistakes) {
    if !file.dtype().is_integer() && !file.dtype().is_text() {
        let what = format!("it holds {}; give units as whole numbers or text", file.dtype());
        wrong.push(fault(file, what));
    }
    if *file.shape() != [shape.records] {
        let what = format!(
            "it is {}, there are logits of {} records; give [{}], the unit of every record",
            spell(file.shape()),
            shape.records,
            shape.records
        );
        wrong.push(fault(file, what));
    }
}

fn fault(file: &NpyFile, what: String) -> String {
    file.wrong(what).to_string()
}

fn lengths(shape: &Shape) -> Vec<usize> {
    match shape.queries {
        1 => vec![shape.shadows, shape.records, shape.classes],
        queries => vec![shape.shadows, shape.records, queries, shape.classes],
    }
}

/// Axes as numpy shows them.
fn spell(shape: &[usize]) -> String {
    let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("[{}]", axes.join(", "))
}
