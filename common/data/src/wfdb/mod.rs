//! ECGs and other signals as WFDB records with a manifest, as PTB-XL comes.

mod header;
mod samples;
mod scan;

use std::ops::Range;
use std::path::Path;

use umbra_core::shape::Form;

use crate::arrange::Arranged;
use crate::assemble;
use crate::channels::plan;
use crate::import::Imported;
use crate::manifest::Manifest;
use crate::records::Records;
use crate::refusal::{ImportError, Problems};
use crate::roles;
use crate::root::Root;
use crate::schema::{Schema, WfdbKeys};
use crate::spool::{RecordForm, RecordSource, Spooled};
use crate::values::Number;

use header::Header;
use scan::Leads;

/// The longest header, in bytes.
const MAX_HEADER: u64 = 1 << 20;

/// Imports the records of a manifest.
pub(crate) fn import(
    path: &Path,
    keys: &WfdbKeys,
    schema: &Schema,
    mut problems: Problems,
) -> Result<Imported, ImportError> {
    let manifest = Manifest::read(path, &keys.path, keys.folder.as_ref(), schema, &mut problems)?;
    let Some(leads) = scan::scan(&manifest, keys, schema, &mut problems) else {
        return Err(problems.into_error());
    };
    let (names, gains): (Vec<String>, Vec<f64>) =
        leads.each.iter().map(|lead| (lead.name.clone(), lead.gain)).unzip();
    let form = Form::Signal { samples: leads.samples as u32, leads: names.len() as u32 };
    let channels = plan(names, &keys.normalize, &gains, schema, &mut problems);
    let roles = roles::resolve(schema, &manifest.table, &mut problems);
    let (Some(channels), Some(roles)) = (channels, roles) else { return Err(problems.into_error()) };
    let rows = manifest.table.rows;
    let mut records = Records::collect(rows, &roles, &mut problems);
    problems.check()?;
    let form = RecordForm { number: Number::I16, form, channels };
    let mut source = Wfdb { manifest: &manifest, column: &keys.path.name, leads, crop: keys.samples };
    let (spooled, digests) = Spooled::fill(&mut source, form, rows as u64, &mut problems)?;
    records.values = Some(digests);
    problems.check()?;
    let arranged = Arranged::of(records);
    assemble::spooled(&arranged, &spooled, schema, Vec::new(), problems)
}

/// Reads the header of a record; gives its folder, too. Or says what is wrong.
fn read_header(root: &Root, path: &str) -> Result<(String, Header), String> {
    let record = path.strip_suffix(".hea").or(path.strip_suffix(".dat")).unwrap_or(path);
    let bytes = root.read(&format!("{record}.hea"), MAX_HEADER, None)?;
    let folder = record.rfind('/').map_or("", |at| &record[..=at]);
    Ok((folder.to_owned(), header::parse(&bytes)?))
}

struct Wfdb<'m> {
    manifest: &'m Manifest,
    column: &'m str,
    leads: Leads,
    crop: Option<u32>,
}

impl RecordSource for Wfdb<'_> {
    fn read(&mut self, rows: Range<u64>, out: &mut [u8], problems: &mut Problems) -> Result<(), ImportError> {
        let bytes = out.len() / ((rows.end - rows.start) as usize).max(1);
        for (row, out) in rows.zip(out.chunks_exact_mut(bytes)) {
            if let Err(what) = self.record(row, out) {
                problems.cell(self.column, row + 1, what);
            }
        }
        Ok(())
    }
}

impl Wfdb<'_> {
    /// Writes one record, `[samples][leads]`, every lead counted from its baseline in the gain that all
    /// records share; or says what is wrong.
    fn record(&self, row: u64, out: &mut [u8]) -> Result<(), String> {
        let (folder, header) = read_header(&self.manifest.root, self.manifest.path(row))?;
        let samples = samples::read(&self.manifest.root, &folder, &header, self.crop.map(u64::from))?;
        for (place, lead) in self.leads.each.iter().enumerate() {
            let at =
                self.leads.find(&header, place).ok_or_else(|| format!("it has no lead {}", lead.name))?;
            let signal = &header.signals[at];
            if samples[at].len() as u64 != self.leads.samples {
                let found = samples[at].len();
                return Err(format!("it has {found} samples, the first record {}", self.leads.samples));
            }
            let targets = out.chunks_exact_mut(2).skip(place).step_by(self.leads.each.len());
            for (target, &sample) in targets.zip(&samples[at]) {
                let centred = f64::from(sample) - signal.baseline as f64;
                let value = if signal.gain == lead.gain {
                    centred
                } else {
                    (centred * lead.gain / signal.gain).round_ties_even()
                };
                let fits = (f64::from(i16::MIN)..=f64::from(i16::MAX)).contains(&value);
                let value = if fits { value as i16 } else { return Err(out_of_range(&lead.name)) };
                target.copy_from_slice(&value.to_le_bytes());
            }
        }
        Ok(())
    }
}

fn out_of_range(lead: &str) -> String {
    format!(
        "a sample of {lead} is beyond 16 bits once it is counted from its baseline: check gain and baseline"
    )
}
