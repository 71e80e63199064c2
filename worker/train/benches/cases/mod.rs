//! The models that are timed, and their data.
#![allow(dead_code)]

use umbra_core::shape::{DataShape, Form};
use umbra_core::spec::{AuditSpec, ModelDraft, SpecDraft, TrainingDraft};
use umbra_train::TrainingData;

/// One model on one kind of data.
pub struct Case {
    pub name: &'static str,
    pub architecture: &'static str,
    pub widths: &'static [u32],
    pub width: Option<u32>,
    pub depth: Option<u32>,
    pub form: Form,
    pub records: u32,
    pub batch: u32,
    /// Steps of a round.
    pub steps: u64,
    pub learning_rate: f64,
}

const TABLE: Case = Case {
    name: "mlp-64-256-256-2-b256",
    architecture: "mlp",
    widths: &[256, 256],
    width: None,
    depth: None,
    form: Form::Table,
    records: 4096,
    batch: 256,
    steps: 800,
    learning_rate: 0.05,
};

const IMAGES: Case = Case {
    name: "cnn-28x28-b128",
    architecture: "cnn",
    widths: &[],
    form: Form::Image { height: 28, width: 28, channels: 1 },
    records: 1024,
    batch: 128,
    steps: 40,
    ..TABLE
};

pub const CASES: [Case; 6] = [
    TABLE,
    Case { name: "mlp-64-64-64-2-b64", widths: &[64, 64], batch: 64, steps: 10_000, ..TABLE },
    Case { name: "tab-resnet-300x6-b256", architecture: "tab-resnet", widths: &[], steps: 50, ..TABLE },
    IMAGES,
    Case {
        name: "wrn-16-1-28x28x3-b128",
        architecture: "wrn",
        width: Some(1),
        depth: Some(16),
        form: Form::Image { height: 28, width: 28, channels: 3 },
        steps: 12,
        ..IMAGES
    },
    Case {
        name: "resnet1d-12x1000-b32",
        architecture: "resnet1d",
        form: Form::Signal { samples: 1000, leads: 12 },
        records: 256,
        batch: 32,
        steps: 6,
        learning_rate: 0.01,
        ..IMAGES
    },
];

impl Case {
    fn features(&self) -> u32 {
        self.form.features().unwrap_or(64)
    }

    /// The audit that trains it.
    pub fn spec(&self) -> AuditSpec {
        let draft = SpecDraft {
            name: "bench".into(),
            dataset: "bench".into(),
            model: ModelDraft {
                architecture: self.architecture.into(),
                widths: self.widths.to_vec(),
                width: self.width,
                depth: self.depth,
            },
            training: TrainingDraft {
                learning_rate: Some(self.learning_rate),
                schedule: Some("constant".into()),
                batch: Some(self.batch),
                epochs: Some(1),
                ..TrainingDraft::default()
            },
            ..SpecDraft::default()
        };
        AuditSpec::try_new(&draft).expect("the recipe is valid")
    }

    /// Its data.
    pub fn stored(&self) -> Stored {
        let (features, labels) = data(self);
        let records = u64::from(self.records);
        let shape = DataShape { form: self.form, ..DataShape::table(records, records, self.features(), 2) };
        Stored { shape, features, labels, units: (0..self.records).collect() }
    }
}

/// The data of a case.
pub struct Stored {
    shape: DataShape,
    features: Vec<f32>,
    labels: Vec<u32>,
    units: Vec<u32>,
}

impl Stored {
    /// As training takes it.
    pub fn data(&self) -> TrainingData<'_> {
        TrainingData::new(self.shape, &self.features, &self.labels, &self.units)
            .expect("the data fits its shape")
    }
}

/// Data that both sides make alike: numbers from a small congruence, the label from two of them; a record that has
/// the label 1 is brighter.
fn data(case: &Case) -> (Vec<f32>, Vec<u32>) {
    let value = |i: u32, j: u32| ((i * 7919 + j * 104_729 + i * j % 613 * 31) % 1000) as f32 / 500.0 - 1.0;
    let labels: Vec<u32> = (0..case.records).map(|i| u32::from(value(i, 0) + value(i, 1) > 0.0)).collect();
    let shift = if case.form == Form::Table { 0.0 } else { 0.25 };
    let features = (0..case.records)
        .flat_map(|i| (0..case.features()).map(move |j| (i, j)))
        .map(|(i, j)| value(i, j) + shift * labels[i as usize] as f32);
    (features.collect(), labels)
}
