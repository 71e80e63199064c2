//! Real sets against numpy (`reference/arrays.py`), where `UMBRA_DATA` names the folder that holds them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use umbra_data::{Dataset, Form, Imported, Values};

use crate::{import, open};

#[derive(Deserialize)]
struct Reference {
    pneumoniamnist: Figures,
    ptbxl500: Figures,
    mitbih_beats: Figures,
}

#[derive(Deserialize)]
struct Figures {
    shape: [u32; 3],
    units: Option<u64>,
    class_counts: Vec<u64>,
    shared: u64,
    #[serde(default)]
    device: BTreeMap<String, usize>,
    #[serde(default)]
    sex: BTreeMap<String, usize>,
    mean: Vec<f64>,
    sd: Vec<f64>,
    row: u64,
    patient: Option<String>,
    values: Vec<f64>,
    label: u32,
}

/// The folder of the real sets, and what numpy says of them.
fn real() -> Option<(PathBuf, Reference)> {
    let Some(folder) = std::env::var_os("UMBRA_DATA") else {
        println!("skipped 1 test: UMBRA_DATA names no folder of real data sets");
        return None;
    };
    let text = include_str!("../reference/arrays.json");
    Some((folder.into(), serde_json::from_str(text).unwrap()))
}

/// Checks all that numpy was asked of; `from` is where in the record the reference's values begin.
fn check(imported: &Imported, figures: &Figures, from: usize) -> Dataset {
    let set = open(imported);
    assert_eq!(imported.class_counts, figures.class_counts);
    let shape = set.shape();
    assert_eq!(shape.records, u64::from(figures.shape[0]));
    assert_eq!(shape.units, figures.units.unwrap_or(shape.records));
    let channels = &set.description().channels;
    assert_eq!(channels.len(), figures.mean.len());
    for (channel, (mean, sd)) in channels.iter().zip(figures.mean.iter().zip(&figures.sd)) {
        assert!((channel.mean - mean).abs() <= 1e-9 * sd, "{channel:?} {mean}");
        assert!((channel.sd - sd).abs() <= 1e-12 * sd, "{channel:?} {sd}");
    }
    let twins = imported.warnings.iter().filter(|warning| warning.contains("of another unit"));
    let expected = format!("{} records have exactly the numbers", figures.shared);
    assert!(twins.clone().all(|warning| warning.starts_with(&expected)), "{:?}", imported.warnings);
    assert_eq!(twins.count(), usize::from(figures.shared > 0));
    let record = set.source_rows().iter().position(|&row| row == figures.row).unwrap();
    assert_eq!(set.labels().classes().unwrap()[record], figures.label);
    if let Some(patient) = &figures.patient {
        assert_eq!(set.unit_name(set.record_units()[record]), patient);
    }
    let width = shape.features as usize;
    let at = record * width + from;
    let stored: Vec<f64> = (at..at + figures.values.len())
        .map(|i| match set.values() {
            Values::F32(values) => f64::from(values[i]),
            Values::U8(values) => f64::from(values[i]),
            Values::I16(values) => f64::from(values[i]),
        })
        .collect();
    assert_eq!(stored, figures.values);
    let mut row = vec![0.0; width];
    set.gather(&[record as u32], &mut row);
    for (i, x) in figures.values.iter().enumerate() {
        let channel = (from + i) % channels.len();
        let expected = (x - figures.mean[channel]) / figures.sd[channel];
        assert!((f64::from(row[from + i]) - expected).abs() < 1e-5, "{} {expected}", row[from + i]);
    }
    set
}

fn levels(set: &Dataset, name: &str) -> BTreeMap<String, usize> {
    let attributes = set.attributes();
    let attribute = attributes.iter().find(|attribute| attribute.name == name).unwrap();
    let mut counts = BTreeMap::new();
    for value in &attribute.values {
        *counts.entry(attribute.levels[value.unwrap() as usize].clone()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn pneumoniamnist_is_read_as_medmnist_saves_it() {
    let Some((folder, reference)) = real() else { return };
    let path = folder.join("pneumoniamnist/pneumoniamnist_28.npz");
    let set = check(&import(&path, "kind = \"array\"\n").unwrap(), &reference.pneumoniamnist, 300);
    assert_eq!(set.shape().form, Form::Image { height: 28, width: 28, channels: 1 });
    assert!(set.features().is_empty() && matches!(set.values(), Values::U8(_)));
}

#[test]
fn ptbxl_is_read_lead_by_lead() {
    let Some((folder, reference)) = real() else { return };
    let schema = format!(
        "kind = \"array\"\ndata = \"signal\"\nlayout = \"CT\"\nlabel = \"abnormal\"\nunit = \"patient_id\"\n\
         groups = [\"sex\", \"device\"]\nattributes = \"{}\"\n\
         channel_names = [\"I\", \"II\", \"III\", \"AVR\", \"AVL\", \"AVF\", \"V1\", \"V2\", \"V3\", \"V4\", \"V5\", \"V6\"]\n",
        folder.join("ptbxl500/ptbxl500_meta.parquet").display()
    );
    let imported = import(&folder.join("ptbxl500/ptbxl500_100hz.npz"), &schema).unwrap();
    let figures = reference.ptbxl500;
    let set = check(&imported, &figures, 7 * 12);
    assert_eq!(set.shape().form, Form::Signal { samples: 1000, leads: 12 });
    assert_eq!(set.shape().units, 466);
    assert_eq!(levels(&set, "device"), figures.device);
    assert_eq!(levels(&set, "sex"), figures.sex);
    assert_eq!(set.description().channels[11].name, "V6");
}

#[test]
fn mitbih_beats_have_their_patients() {
    let Some((folder, reference)) = real() else { return };
    let schema = format!(
        "kind = \"array\"\ndata = \"signal\"\nlabel = \"label\"\nunit = \"patient_id\"\ngroups = [\"sex\"]\n\
         attributes = \"{}\"\n",
        folder.join("mitbih_beats/mitbih_beats_small.meta.parquet").display()
    );
    let imported = import(&folder.join("mitbih_beats/mitbih_beats_small.npz"), &schema).unwrap();
    let set = check(&imported, &reference.mitbih_beats, 45);
    assert_eq!(set.shape().form, Form::Signal { samples: 128, leads: 1 });
    assert_eq!(levels(&set, "sex"), reference.mitbih_beats.sex);
}
