//! From arranged records and their numbers to the encoded file.

use std::io::{BufWriter, Cursor};

use bytes::Bytes;
use umbra_core::shape::{Form, Targets};

use crate::arrange::Arranged;
use crate::description::Description;
use crate::encoder::Encoded;
use crate::import::Imported;
use crate::layout::{self, Shape};
use crate::limits::MAX_DESCRIPTION;
use crate::mmap::{Storage, stored};
use crate::refusal::{ImportError, Problems};
use crate::schema::Schema;
use crate::spool::Spooled;
use crate::values::Number;
use crate::writer::Writer;
use crate::{duplicates, scratch};

const SAME_PATIENT: &str = "perhaps the same patient under two names; check the unit column";

/// Encodes a table, whose features are in memory.
///
/// # Errors
/// [`ImportError::Refused`] if its names are too long.
pub(crate) fn table(
    arranged: &Arranged,
    encoded: Encoded,
    schema: &Schema,
    mut warnings: Vec<String>,
    mut problems: Problems,
) -> Result<Imported, ImportError> {
    let sections = arranged.sections(&mut warnings);
    let width = encoded.width;
    let per_record = sections.labels.len() / sections.record_units.len().max(1);
    let labels: Vec<&[u8]> = sections.labels.chunks_exact(per_record.max(1)).collect();
    let twins = duplicates::across_units(&encoded.features, width, &labels, &sections.record_units);
    if twins > 0 {
        warnings.push(format!(
            "{twins} records have exactly the features and label of a record of another unit: {SAME_PATIENT}"
        ));
    }
    let shape = shape(arranged, sections.targets, Number::F32, Form::Table, width as u32);
    let description =
        Description { feature_names: encoded.names, columns: encoded.columns, ..describe(arranged, schema) };
    let description = as_json(&description, &mut problems)?;
    let rest = sections.rest(&description);
    let rests: usize = rest.all().iter().map(|section| section.len() + layout::ALIGN).sum();
    // As large as it gets: a buffer that grows by doubling is twice as large at worst.
    let room = layout::HEADER + shape.value_bytes() as usize + rests;
    let out = Cursor::new(Vec::with_capacity(room));
    let mut writer = Writer::begin(out, shape).map_err(scratch::failed)?;
    writer.values(stored(&encoded.features)).map_err(scratch::failed)?;
    let (out, digest) = writer.finish(&rest).map_err(scratch::failed)?;
    let bytes = Bytes::from(out.into_inner());
    Ok(Imported { bytes, digest, shape: shape.public(), class_counts: sections.counts, warnings })
}

/// Encodes arrays, images or signals, whose numbers are in a scratch file.
///
/// # Errors
/// [`ImportError`] if the disk is full, or all records are alike.
pub(crate) fn spooled(
    arranged: &Arranged,
    spooled: &Spooled,
    schema: &Schema,
    mut warnings: Vec<String>,
    mut problems: Problems,
) -> Result<Imported, ImportError> {
    let sections = arranged.sections(&mut warnings);
    warn_of_twins(arranged, &mut warnings);
    let form = &spooled.form;
    let shape = shape(arranged, sections.targets, form.number, form.form, form.features() as u32);
    let out = BufWriter::with_capacity(1 << 20, scratch::file()?);
    let mut writer = Writer::begin(out, shape).map_err(scratch::failed)?;
    let channels = spooled.write(&arranged.order, &mut writer).map_err(scratch::failed)?;
    if channels.iter().all(|channel| channel.sd == 0.0) {
        problems.whole("every channel is the same number in all records: there is nothing to learn from");
        return Err(problems.into_error());
    }
    if let Some(wrong) = channels.iter().find(|channel| !channel.is_sound()) {
        problems.column(&wrong.name, "its numbers cannot be normalised in single precision: rescale them");
        return Err(problems.into_error());
    }
    let flat = channels.iter().filter(|channel| channel.sd == 0.0);
    warnings.extend(flat.map(|channel| {
        format!("channel \"{}\" is the same number in all records: it becomes 0", channel.name)
    }));
    let description = as_json(&Description { channels, ..describe(arranged, schema) }, &mut problems)?;
    let (out, digest) = writer.finish(&sections.rest(&description)).map_err(scratch::failed)?;
    let file = out.into_inner().map_err(|error| scratch::failed(error.into_error()))?;
    let bytes = Storage::map(&file).map_err(scratch::failed)?.into_bytes();
    Ok(Imported { bytes, digest, shape: shape.public(), class_counts: sections.counts, warnings })
}

fn shape(arranged: &Arranged, targets: Targets, number: Number, form: Form, features: u32) -> Shape {
    Shape {
        records: arranged.records.rows as u64,
        units: arranged.units.names.len() as u64,
        features,
        classes: arranged.class_names().len() as u32,
        attributes: arranged.attributes.len() as u32,
        number,
        form,
        targets,
    }
}

fn warn_of_twins(arranged: &Arranged, warnings: &mut Vec<String>) {
    let Some(digests) = &arranged.records.values else { return };
    let twins = duplicates::same_values(digests, &arranged.units.of_row);
    if twins > 0 {
        warnings.push(format!(
            "{twins} records have exactly the numbers of a record of another unit: {SAME_PATIENT}"
        ));
    }
}

/// What does not depend on how the numbers lie.
fn describe(arranged: &Arranged, schema: &Schema) -> Description {
    let groups = &arranged.records.groups;
    Description {
        label: schema.labels().collect::<Vec<_>>().join(", "),
        unit: schema.unit().map(str::to_owned),
        class_names: arranged.class_names().to_vec(),
        feature_names: Vec::new(),
        attributes: groups.iter().map(|(name, coded)| (name.clone(), coded.names.clone())).collect(),
        columns: Vec::new(),
        channels: Vec::new(),
    }
}

fn as_json(description: &Description, problems: &mut Problems) -> Result<Vec<u8>, ImportError> {
    let text = serde_json::to_vec(description).expect("names and finite numbers are always JSON");
    if text.len() as u64 > MAX_DESCRIPTION {
        problems.whole("the names of columns and levels are too long for one data set: ignore columns");
    }
    problems.check()?;
    Ok(text)
}
