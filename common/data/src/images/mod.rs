//! Images: PNG and JPEG files with a manifest.

mod decode;

use std::num::NonZero;
use std::ops::Range;
use std::path::Path;
use std::thread;

use umbra_core::shape::Form;

use crate::arrange::Arranged;
use crate::assemble;
use crate::channels::{plan, usual_names};
use crate::import::Imported;
use crate::limits::MAX_FEATURES;
use crate::manifest::Manifest;
use crate::records::Records;
use crate::refusal::{ImportError, Problems};
use crate::roles;
use crate::schema::{ImageKeys, Schema};
use crate::spool::{RecordForm, RecordSource, Spooled};
use crate::values::Number;

use decode::{Target, decode, describe};

/// The longest image file, in bytes.
const MAX_IMAGE_FILE: u64 = 1 << 28;

/// Imports the images of a manifest.
pub(crate) fn import(
    path: &Path,
    keys: &ImageKeys,
    schema: &Schema,
    mut problems: Problems,
) -> Result<Imported, ImportError> {
    let manifest = Manifest::read(path, &keys.path, keys.folder.as_ref(), schema, &mut problems)?;
    let Some(form) = form(&manifest, keys, schema, &mut problems) else { return Err(problems.into_error()) };
    let Some(roles) = roles::resolve(schema, &manifest.table, &mut problems) else {
        return Err(problems.into_error());
    };
    let rows = manifest.table.rows;
    let mut records = Records::collect(rows, &roles, &mut problems);
    problems.check()?;
    let target = Target::of(&form.form, keys.size.is_some());
    let mut source = Images { manifest: &manifest, column: &keys.path.name, target };
    let (spooled, digests) = Spooled::fill(&mut source, form, rows as u64, &mut problems)?;
    records.values = Some(digests);
    problems.check()?;
    let arranged = Arranged::of(records);
    assemble::spooled(&arranged, &spooled, schema, Vec::new(), problems)
}

/// How records lie: as the schema says, or as the first image does.
fn form(
    manifest: &Manifest,
    keys: &ImageKeys,
    schema: &Schema,
    problems: &mut Problems,
) -> Option<RecordForm> {
    let found = manifest.root.read(manifest.path(0), MAX_IMAGE_FILE, None).and_then(|bytes| describe(&bytes));
    let (height, width, channels) = match (found, keys.size, keys.channels) {
        (_, Some((height, width)), Some(channels)) => (height, width, channels),
        (Ok(first), size, channels) => {
            let (height, width) = size.unwrap_or((first.0, first.1));
            (height, width, channels.unwrap_or(first.2))
        }
        (Err(what), _, _) => {
            problems.cell(&keys.path.name, 1, what);
            return None;
        }
    };
    let form = Form::Image { height, width, channels };
    if form.features().is_none_or(|features| features > MAX_FEATURES) {
        problems.whole(format!(
            "images of {height} x {width} pixels are too large for one record: resize them with size = [224, 224]"
        ));
        return None;
    }
    let channels = plan(usual_names(&form), &keys.normalize, &[255.0], schema, problems)?;
    Some(RecordForm { number: Number::U8, form, channels })
}

/// The images of a manifest, decoded by several threads.
struct Images<'m> {
    manifest: &'m Manifest,
    column: &'m str,
    target: Target,
}

impl RecordSource for Images<'_> {
    fn read(&mut self, rows: Range<u64>, out: &mut [u8], problems: &mut Problems) -> Result<(), ImportError> {
        let count = (rows.end - rows.start) as usize;
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(count).max(1);
        let each = count.div_ceil(threads).max(1);
        let bytes = out.len() / count.max(1);
        let this = &*self;
        let parts = out.chunks_mut(each * bytes).enumerate();
        let failed: Vec<(u64, String)> = thread::scope(|scope| {
            let works: Vec<_> = parts
                .map(|(part, out)| {
                    let first = rows.start + (part * each) as u64;
                    scope.spawn(move || this.part(first, bytes, out))
                })
                .collect();
            works.into_iter().flat_map(|work| work.join().unwrap_or_default()).collect()
        });
        for (row, what) in failed {
            problems.cell(self.column, row + 1, what);
        }
        Ok(())
    }
}

impl Images<'_> {
    /// Decodes neighbouring rows; gives those that cannot be.
    fn part(&self, first: u64, bytes: usize, out: &mut [u8]) -> Vec<(u64, String)> {
        let mut failed = Vec::new();
        for (row, out) in (first..).zip(out.chunks_exact_mut(bytes)) {
            let path = self.manifest.path(row);
            let read = self.manifest.root.read(path, MAX_IMAGE_FILE, None);
            if let Err(what) = read.and_then(|bytes| decode(&bytes, &self.target, out)) {
                failed.push((row, what));
            }
        }
        failed
    }
}
