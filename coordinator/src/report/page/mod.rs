//! `report.html`: one file for people, readable without a network, printable.
//!
//! The structs here hold text that is ready to be shown; the templates under `templates/report` lay it out
//! and escape it, whatever it says. Only the charts go in as they are: they escape their own text.

mod attacks;
mod exposed;
mod groups;
mod headlines;
mod proof;

use askama::Template;
use umbra_core::shape::Targets;
use umbra_stats::Analysis;

use self::attacks::{Attacks, UtilityPart};
use self::exposed::Exposed;
use self::groups::AttributePart;
use self::headlines::{Headlines, Limit};
use self::proof::{Lost, Proof};
use super::error::ReportError;
use super::numbers::count;
use super::subject::Subject;
use super::tables::Gathered;
use super::words;

/// The page.
#[derive(Template)]
#[template(path = "report/report.html")]
struct Page {
    audited: Audited,
    headlines: Headlines,
    limit: Limit,
    utility: UtilityPart,
    attacks: Attacks,
    attributes: Vec<AttributePart>,
    exposed: Exposed,
    lost: Option<Lost>,
    proof: Proof,
}

/// What was audited.
struct Audited {
    name: String,
    dataset: String,
    records: String,
    patients: String,
    /// Whether the data set names patients.
    named: bool,
    unit: String,
    features: String,
    label: String,
    classes: String,
    model: String,
    training: String,
    shadows: String,
    blocks: String,
    block: String,
    half: String,
    /// Units that no shadow was trained on, if any were to be.
    reserved: Option<String>,
}

/// The whole page as text.
///
/// # Errors
/// If the analysis is not one of this audit.
pub fn report_html(
    subject: &Subject<'_>,
    analysis: &Analysis,
    gathered: &Gathered,
) -> Result<String, ReportError> {
    subject.check(analysis)?;
    let page = Page {
        audited: Audited::of(subject),
        headlines: Headlines::of(subject, analysis),
        limit: Limit::of(subject, analysis),
        utility: UtilityPart::of(analysis),
        attacks: Attacks::of(analysis),
        attributes: groups::attributes(analysis),
        exposed: Exposed::of(subject, analysis, gathered),
        lost: Lost::of(subject),
        proof: Proof::of(subject),
    };
    Ok(page.render()?)
}

impl Audited {
    fn of(subject: &Subject<'_>) -> Self {
        const MOST_CLASSES: usize = 12;
        let (spec, dataset) = (subject.spec, &subject.dataset);
        let names = dataset.classes;
        let mut classes: Vec<_> =
            names.iter().take(MOST_CLASSES).map(|name| words::shown(name, 40)).collect();
        if names.len() > MOST_CLASSES {
            classes.push(format!("and {} more", names.len() - MOST_CLASSES));
        }
        let shadows = spec.shadows();
        Self {
            name: spec.name().to_string(),
            dataset: words::shown(dataset.name, 80),
            records: count(dataset.shape.records),
            patients: count(dataset.shape.units),
            named: dataset.unit.is_some(),
            unit: dataset.unit.map(|unit| words::shown(unit, 60)).unwrap_or_default(),
            features: count(u64::from(dataset.shape.features)),
            label: match dataset.shape.targets {
                Targets::Class => words::shown(dataset.label, 60),
                Targets::Labels => "several labels".to_owned(),
            },
            classes: classes.join(", "),
            model: words::model(spec.model()),
            training: words::training(spec.training(), spec.queries(), subject.steps),
            shadows: count(u64::from(shadows.count())),
            blocks: count(u64::from(shadows.blocks())),
            block: count(u64::from(shadows.block())),
            half: count(u64::from(shadows.count() / 2)),
            reserved: match shadows.population() {
                0.0 => None,
                _ => Some(count(subject.reserved() as u64)),
            },
        }
    }
}
