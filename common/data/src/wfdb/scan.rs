//! What all records have in common, from their headers, before any sample is read.

use super::header::Header;
use super::read_header;
use crate::manifest::Manifest;
use crate::refusal::Problems;
use crate::schema::{Schema, WfdbKeys};

/// The leads of all records.
pub(super) struct Leads {
    pub each: Vec<Lead>,
    /// Samples of every lead.
    pub samples: u64,
    /// Whether leads are found by name; by place where the headers do not name them.
    named: bool,
}

/// One lead.
pub(super) struct Lead {
    pub name: String,
    /// The finest gain of all records: stored numbers of one physical unit.
    pub gain: f64,
    units: String,
}

impl Leads {
    /// Which signal of a record is the lead at `place`.
    pub(super) fn find(&self, header: &Header, place: usize) -> Option<usize> {
        if !self.named {
            return Some(place).filter(|&place| place < header.signals.len());
        }
        header.signals.iter().position(|signal| signal.name == self.each[place].name)
    }
}

/// Reads all headers. Notes records that lack a lead or are of another length, frequency or unit. `None`
/// after a mistake.
pub(super) fn scan(
    manifest: &Manifest,
    keys: &WfdbKeys,
    schema: &Schema,
    problems: &mut Problems,
) -> Option<Leads> {
    let note =
        |problems: &mut Problems, row: u64, what: String| problems.cell(&keys.path.name, row + 1, what);
    let (mut found, mut frequency) = (None::<Leads>, 0.0);
    for row in 0..manifest.table.rows as u64 {
        let header = match read_header(&manifest.root, manifest.path(row)) {
            Ok((_, header)) => header,
            Err(what) => {
                note(problems, row, what);
                continue;
            }
        };
        let Some(leads) = &mut found else {
            frequency = header.frequency;
            match begin(&header, keys, schema, problems) {
                Ok(leads) => found = Some(leads),
                Err(Some(what)) => note(problems, row, what),
                Err(None) => return None,
            }
            continue;
        };
        if let Err(what) = join(leads, &header, keys, frequency) {
            note(problems, row, what);
        }
    }
    found.filter(|_| problems.is_empty())
}

/// The leads of the first record, or those the schema names; `Err(None)` for a mistake in the schema.
fn begin(
    header: &Header,
    keys: &WfdbKeys,
    schema: &Schema,
    problems: &mut Problems,
) -> Result<Leads, Option<String>> {
    let all: Vec<&str> = header.signals.iter().map(|signal| signal.name.as_str()).collect();
    let distinct = (1..all.len()).all(|i| !all[..i].contains(&all[i]));
    let named = distinct && all.iter().all(|name| !name.is_empty());
    let mut places: Vec<usize> = (0..all.len()).collect();
    if !keys.leads.is_empty() {
        places.clear();
        for lead in &keys.leads {
            match all.iter().position(|name| *name == lead.name) {
                Some(place) if named && !places.contains(&place) => places.push(place),
                Some(_) if named => {
                    problems.schema(&schema.file, lead.line, &lead.key, "named twice: keep one")
                }
                _ => {
                    let message = format!("the first record has no such lead; it has {}", all.join(", "));
                    problems.schema(&schema.file, lead.line, &lead.key, message);
                }
            }
        }
        if places.len() < keys.leads.len() {
            return Err(None);
        }
    }
    let each = places.into_iter().map(|place| {
        let signal = &header.signals[place];
        let name = if named { signal.name.clone() } else { format!("lead {}", place + 1) };
        Lead { name, gain: signal.gain, units: signal.units.clone() }
    });
    let samples = keys.samples.map(u64::from).or(header.samples);
    let samples = samples
        .ok_or_else(|| Some("its header does not say how many samples it has: say samples = N".to_owned()))?;
    let each: Vec<Lead> = each.collect();
    if samples.saturating_mul(each.len() as u64) > super::header::MOST_SAMPLES {
        return Err(Some(format!(
            "{samples} samples are too many for one record: take the first with samples = N"
        )));
    }
    Ok(Leads { each, samples, named })
}

/// Takes another record in, or says why it does not belong to the others.
fn join(leads: &mut Leads, header: &Header, keys: &WfdbKeys, frequency: f64) -> Result<(), String> {
    if header.frequency != frequency {
        return Err(format!(
            "sampled at {} Hz, the first record at {frequency}: resample it",
            header.frequency
        ));
    }
    match (keys.samples, header.samples) {
        (None, Some(samples)) if samples != leads.samples => {
            return Err(format!(
                "{samples} samples, the first record has {}: take the first of all with samples = N",
                leads.samples
            ));
        }
        (Some(wanted), Some(samples)) if samples < u64::from(wanted) => {
            return Err(format!("it has {samples} samples, fewer than samples = {wanted} asks for"));
        }
        _ => {}
    }
    if keys.leads.is_empty() && header.signals.len() != leads.each.len() {
        return Err(format!(
            "{} leads, the first record has {}: say which with leads = [...]",
            header.signals.len(),
            leads.each.len()
        ));
    }
    for place in 0..leads.each.len() {
        let Some(at) = leads.find(header, place) else {
            return Err(format!("it has no lead {}, as the first record has", leads.each[place].name));
        };
        let (signal, lead) = (&header.signals[at], &mut leads.each[place]);
        if signal.units != lead.units {
            return Err(format!(
                "{} is in {}, in the first record in {}",
                lead.name, signal.units, lead.units
            ));
        }
        lead.gain = lead.gain.max(signal.gain);
    }
    Ok(())
}
