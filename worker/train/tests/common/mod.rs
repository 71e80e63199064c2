//! What the tests share: small data and recipes.
#![allow(dead_code, clippy::unwrap_used)]

pub mod faulty;
pub mod reference;

use umbra_core::digest::Digest;
use umbra_core::membership::Membership;
use umbra_core::seed::{Purpose, Seed};
use umbra_core::shape::{DataShape, Form};
use umbra_core::spec::{
    AuditSpec, AugmentDraft, ModelDraft, QueriesDraft, ShadowsDraft, SpecDraft, TrainingDraft,
};
use umbra_train::{PackJob, PackLogits, PackMembership, PackRun, Status, TrainingData};

/// A checked specification around a model and a recipe.
pub fn spec(widths: &[u32], training: TrainingDraft) -> AuditSpec {
    let architecture = if widths.is_empty() { "logistic" } else { "mlp" };
    let model =
        ModelDraft { architecture: architecture.into(), widths: widths.to_vec(), ..ModelDraft::default() };
    spec_of(model, training)
}

/// A checked specification around any model and a recipe.
pub fn spec_of(model: ModelDraft, training: TrainingDraft) -> AuditSpec {
    made(model, training, AugmentDraft::default())
}

/// The same with varied records.
pub fn varied(model: ModelDraft, training: TrainingDraft) -> AuditSpec {
    let table = ["tab-resnet", "mlp"].contains(&&*model.architecture);
    let shift = (!table).then_some(2);
    let rotate = ["cnn", "wrn"].contains(&&*model.architecture).then_some(15.0);
    made(model, training, AugmentDraft { rotate, shift, noise: Some(0.1), ..AugmentDraft::default() })
}

/// A specification with so many views of every record.
pub fn viewed(spec: &AuditSpec, views: u32) -> AuditSpec {
    AuditSpec::try_new(&SpecDraft { queries: QueriesDraft { views: Some(views) }, ..spec.to_draft() })
        .unwrap()
}

fn made(model: ModelDraft, training: TrainingDraft, augment: AugmentDraft) -> AuditSpec {
    AuditSpec::try_new(&SpecDraft {
        augment,
        name: "a".into(),
        seed: 7,
        dataset: "d".into(),
        model,
        training,
        shadows: ShadowsDraft { count: Some(16), block: Some(8), population: None },
        ..SpecDraft::default()
    })
    .unwrap()
}

/// A small model of every architecture that is no perceptron, with data it takes.
pub fn architectures() -> Vec<(ModelDraft, Table)> {
    let model = |architecture: &str, width, depth| ModelDraft {
        architecture: architecture.into(),
        width: Some(width),
        depth,
        widths: vec![],
    };
    let image = Form::Image { height: 9, width: 8, channels: 3 };
    vec![
        (model("tab-resnet", 20, Some(2)), Table::new(60, 7, 3)),
        (model("cnn", 6, None), Table::formed(60, image, 3)),
        (model("wrn", 1, Some(10)), Table::formed(60, image, 3)),
        (model("resnet1d", 20, Some(2)), Table::formed(60, Form::Signal { samples: 41, leads: 5 }, 3)),
    ]
}

/// Every one of them, and a perceptron, at each of these rates of dropout.
pub fn with_dropout(rates: &[Option<f64>]) -> Vec<((ModelDraft, Table), Option<f64>)> {
    let perceptron =
        || ModelDraft { architecture: "mlp".into(), widths: vec![70, 21], ..ModelDraft::default() };
    let all = || architectures().into_iter().chain([(perceptron(), Table::new(60, 7, 3))]);
    rates.iter().flat_map(|&rate| all().map(move |pair| (pair, rate))).collect()
}

/// Seeded data: class c's features are shifted by c in column c.
pub struct Table {
    pub shape: DataShape,
    pub features: Vec<f32>,
    pub labels: Vec<u32>,
    pub units: Vec<u32>,
}

impl Table {
    /// Two records per unit.
    pub fn new(records: u32, features: u32, classes: u32) -> Self {
        let mut stream = Seed::new(99).stream(Purpose::Simulation, &[]);
        let labels: Vec<u32> = (0..records).map(|_| stream.below(u64::from(classes)) as u32).collect();
        let mut values = Vec::new();
        for &label in &labels {
            for column in 0..features {
                let shift = if column == label { 1.0 } else { 0.0 };
                values.push((stream.normal_f64() + shift) as f32);
            }
        }
        let units: Vec<u32> = (0..records).map(|record| record / 2).collect();
        let shape = DataShape::table(u64::from(records), u64::from(records.div_ceil(2)), features, classes);
        Self { shape, features: values, labels, units }
    }

    /// The same numbers taken as records of another form.
    pub fn formed(records: u32, form: Form, classes: u32) -> Self {
        let mut table = Self::new(records, form.features().unwrap(), classes);
        table.shape.form = form;
        table
    }

    pub fn data(&self) -> TrainingData<'_> {
        TrainingData::new(self.shape, &self.features, &self.labels, &self.units).unwrap()
    }
}

/// The job of some shadows of a specification.
pub fn job(spec: &AuditSpec, table: &Table, shadows: std::ops::Range<u32>, steps: u64) -> PackJob {
    let units: Vec<Digest> = (0..table.shape.units).map(|unit| Digest::of(&unit.to_le_bytes())).collect();
    let membership = Membership::draw(spec.seed(), 16, 8, units.iter());
    PackJob {
        seed: spec.seed().clone(),
        data: Digest::of(b"data"),
        model: spec.model().clone(),
        training: spec.training().clone(),
        queries: spec.queries().clone(),
        steps,
        shadows: shadows.clone(),
        membership: PackMembership::select(&membership, shadows).unwrap(),
        isa_limit: None,
    }
}

/// Runs to the end in slices.
pub fn run(mut run: PackRun<'_>, slice: u64) -> PackLogits {
    while run.advance(slice).unwrap() != Status::Done {}
    run.finish().unwrap()
}

/// The bits of one shadow's logits.
pub fn bits(logits: &PackLogits, shadow: u32) -> Vec<u32> {
    logits.shadow(shadow).iter().map(|value| value.to_bits()).collect()
}
