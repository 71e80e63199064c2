//! Every architecture against PyTorch (vectors/networks.json, made by vectors/networks.py) and against candle: loss
//! and gradients of a batch, ten optimiser steps with partial batches between them, stopped and gone on with in the
//! middle; and the same bits for any number of records that go through the model together and any instruction set.
#![allow(clippy::unwrap_used)]

mod candle;
mod common;

use serde::Deserialize;
use std::sync::LazyLock;

use umbra_core::seed::Seed;
use umbra_core::shape::{DataShape, Form, Targets};
use umbra_core::spec::{AuditSpec, ModelDraft, TrainingDraft};
use umbra_data::{Labels, Normalisation, Values};
use umbra_train::TrainingData;
use umbra_train::cpu::{Cpu, Isa, IsaLevel};
use umbra_train::engine::Engine;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;

use candle::Candle;

static AS_THEY_ARE: LazyLock<Normalisation> = LazyLock::new(Normalisation::identity);

#[derive(Deserialize)]
struct Vectors {
    records: usize,
    classes: u32,
    sampled: usize,
    labels: Vec<u32>,
    several: Vec<u8>,
    batches: Vec<Vec<u32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    architecture: String,
    width: Option<u32>,
    depth: Option<u32>,
    form: Vec<u32>,
    recipe: Recipe,
    tensors: Vec<(usize, f32, f32)>,
    loss: f64,
    gradients: Vec<f64>,
    parameters: Vec<f64>,
    logits: Vec<f64>,
}

#[derive(Deserialize)]
struct Recipe {
    optimizer: String,
    learning_rate: f64,
    weight_decay: f64,
    momentum: Option<f64>,
    nesterov: Option<bool>,
    beta1: Option<f64>,
    beta2: Option<f64>,
    epsilon: Option<f64>,
    label_smoothing: Option<f64>,
    class_weights: Option<Vec<f64>>,
    clip_norm: Option<f64>,
    ema: Option<f64>,
    step_epochs: Option<f64>,
    step_factor: Option<f64>,
    loss: Option<String>,
    #[serde(default)]
    several: bool,
}

/// `value` of networks.py.
fn value(index: usize, salt: u64) -> f32 {
    let mixed = (index as u64 * 2_654_435_761 + salt * 40_503 + 12_345) % (1 << 32);
    let mixed = (mixed ^ (mixed >> 15)) * 2_246_822_519 % (1 << 32);
    (mixed >> 8) as f32 / (1u32 << 23) as f32 - 1.0
}

struct Made {
    shape: DataShape,
    values: Vec<f32>,
    labels: Vec<u32>,
    units: Vec<u32>,
    start: Vec<f32>,
}

impl Case {
    fn make(&self, vectors: &Vectors) -> Made {
        let features: u32 = self.form.iter().product();
        let records = vectors.records as u64;
        let form = match self.form[..] {
            [_] => Form::Table,
            [samples, leads] => Form::Signal { samples, leads },
            [height, width, channels] => Form::Image { height, width, channels },
            _ => unreachable!("{}", self.name),
        };
        let targets = if self.recipe.several { Targets::Labels } else { Targets::Class };
        // Two classes under the binary cross-entropy, else all of the file's.
        let classes = if self.recipe.loss.is_some() { 2 } else { vectors.classes };
        let labels = vectors.labels.iter().map(|&label| label % classes).collect();
        let shape = DataShape { form, targets, ..DataShape::table(records, records, features, classes) };
        let mut values: Vec<f32> =
            (0..vectors.records * features as usize).map(|index| value(index, 2)).collect();
        values[..features as usize].fill(0.0);
        let tensors = self.tensors.iter().flat_map(|&(len, middle, spread)| vec![(middle, spread); len]);
        let start = tensors.enumerate().map(|(index, (middle, spread))| middle + spread * value(index, 1));
        let units = (0..vectors.records as u32).collect();
        Made { shape, values, labels, units, start: start.collect() }
    }

    /// The specification, and the data.
    fn audit<'d>(&self, made: &'d Made, vectors: &'d Vectors) -> (AuditSpec, TrainingData<'d>) {
        let recipe = &self.recipe;
        let training = TrainingDraft {
            optimizer: Some(recipe.optimizer.clone()),
            learning_rate: Some(recipe.learning_rate),
            weight_decay: Some(recipe.weight_decay),
            momentum: recipe.momentum,
            nesterov: recipe.nesterov,
            beta1: recipe.beta1,
            beta2: recipe.beta2,
            epsilon: recipe.epsilon,
            loss: recipe.loss.clone(),
            label_smoothing: recipe.label_smoothing,
            class_weights: recipe.class_weights.clone(),
            clip_norm: recipe.clip_norm,
            ema: recipe.ema,
            schedule: recipe.step_epochs.map(|_| "step".to_owned()),
            step_epochs: recipe.step_epochs,
            step_factor: recipe.step_factor,
            batch: Some(6),
            epochs: Some(5),
            ..TrainingDraft::default()
        };
        let model = ModelDraft {
            architecture: self.architecture.clone(),
            widths: vec![],
            width: self.width,
            depth: self.depth,
        };
        let spec = common::spec_of(model, training);
        let labels = match recipe.several {
            true => Labels::Several { labels: &vectors.several, count: vectors.classes as usize },
            false => Labels::Class(&made.labels),
        };
        let values = Values::F32(&made.values);
        let data = TrainingData::raw(made.shape, values, &AS_THEY_ARE, labels, &made.units).unwrap();
        (spec, data)
    }

    fn engine<'d>(
        &self,
        made: &'d Made,
        vectors: &'d Vectors,
        level: IsaLevel,
        rows: usize,
    ) -> Lockstep<Cpu<'d>> {
        let (spec, data) = self.audit(made, vectors);
        let network = Network::new(spec.model(), spec.training(), &made.shape).unwrap();
        let cpu = Cpu::new(data, Isa::at_most(level));
        let mut engine = Lockstep::with_rows(cpu, network, spec.training(), 10, rows).unwrap();
        assert_eq!(engine.parameters(), made.start.len(), "{}", self.name);
        engine.set_parameters(0, &made.start);
        engine
    }

    fn candle<'d>(&self, made: &'d Made, vectors: &'d Vectors) -> Candle<'d> {
        let (spec, data) = self.audit(made, vectors);
        let network = Network::new(spec.model(), spec.training(), &made.shape).unwrap();
        let mut engine = Candle::new(data, network, spec.training(), 10, 1).unwrap();
        engine.set_parameters(0, &made.start).unwrap();
        engine
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/networks.json")).unwrap()
}

/// Every k-th number, as the file has them.
fn some(values: &[f32], sampled: usize) -> Vec<f32> {
    values.iter().copied().step_by((values.len() / sampled).max(1)).collect()
}

/// Both within `tolerance` of the largest number.
fn assert_close(got: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    for (index, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(got) - expected).abs();
        assert!(error <= tolerance * scale, "{what}, {index}: {got} for {expected}, scale {scale}");
    }
}

fn train(engine: &mut dyn Engine, batches: &[Vec<u32>], from: usize) {
    for (step, rows) in batches.iter().enumerate().skip(from) {
        engine.train(step as u64, rows);
    }
}

fn state(engine: &mut dyn Engine) -> Vec<f32> {
    let mut state = vec![0.0; engine.state_len()];
    engine.save(0, &mut state);
    state
}

/// f32 against f64: 4e-5 of the largest number, where an element sums up to 1,800 products.
#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    let vectors = vectors();
    for case in &vectors.cases {
        let made = case.make(&vectors);
        let mut engine = case.engine(&made, &vectors, IsaLevel::Avx512, 6);
        engine.differentiate(&vectors.batches[0]);
        assert_close(&[engine.loss(0)], &[case.loss], 1e-5, &case.name);
        let mut gradients = vec![0.0; engine.parameters()];
        engine.gradients(0, &mut gradients);
        assert_close(&some(&gradients, vectors.sampled), &case.gradients, 4e-5, &case.name);
    }
}

/// Ten steps multiply rounding errors: 2e-4 of the largest number. AdamW divides by the gradient's own size, so that
/// a parameter with a small gradient moves by its relative error: 1e-3, 3 % of the way it can have gone.
#[test]
fn ten_steps_with_a_stop_end_where_pytorch_ends() {
    let vectors = vectors();
    for case in &vectors.cases {
        let made = case.make(&vectors);
        let mut first = case.engine(&made, &vectors, IsaLevel::Avx512, 6);
        train(&mut first, &vectors.batches[..5], 0);
        let saved = state(&mut first);
        let mut engine = case.engine(&made, &vectors, IsaLevel::Avx512, 6);
        engine.load(0, &Seed::new(1), 0, &saved);
        train(&mut engine, &vectors.batches, 5);
        let state = state(&mut engine);
        let tolerance = if case.recipe.optimizer == "adamw" { 1e-3 } else { 2e-4 };
        let parameters = some(&state[..engine.parameters()], vectors.sampled);
        assert_close(&parameters, &case.parameters, tolerance, &case.name);
        engine.query(0, vectors.records, 0);
        let mut logits = vec![0.0; case.logits.len()];
        engine.logits(0, &mut logits);
        assert_close(&logits, &case.logits, tolerance, &case.name);
    }
}

#[test]
fn records_at_once_and_instructions_change_no_bit() {
    let vectors = vectors();
    for case in &vectors.cases {
        let made = case.make(&vectors);
        let bits = |level, rows| -> Vec<u32> {
            let mut engine = case.engine(&made, &vectors, level, rows);
            train(&mut engine, &vectors.batches[..3], 0);
            state(&mut engine).iter().map(|value| value.to_bits()).collect()
        };
        let whole = bits(IsaLevel::Avx512, 6);
        for (level, rows) in
            [(IsaLevel::Avx512, 1), (IsaLevel::Avx512, 4), (IsaLevel::Avx2, 6), (IsaLevel::Portable, 5)]
        {
            assert_eq!(bits(level, rows), whole, "{}, {level:?}, {rows}", case.name);
        }
    }
}

/// Both in double precision: rounding alone.
#[test]
fn candle_finds_what_pytorch_finds() {
    let vectors = vectors();
    let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<_>>();
    for case in &vectors.cases {
        let made = case.make(&vectors);
        let mut engine = case.candle(&made, &vectors);
        let (loss, gradients) = engine.differentiate(0, &vectors.batches[0]).unwrap();
        assert!((loss - case.loss).abs() < 1e-9, "{}: {loss} for {}", case.name, case.loss);
        assert_close(&some(&single(gradients), vectors.sampled), &case.gradients, 1e-6, &case.name);
        train(&mut engine, &vectors.batches, 0);
        let state = state(&mut engine);
        let parameters = some(&state[..engine.parameters()], vectors.sampled);
        assert_close(&parameters, &case.parameters, 1e-6, &case.name);
    }
}

/// Every gradient and every parameter after ten steps, where those of PyTorch's vectors are a sample; candle is stopped
/// and gone on with, too. Tolerances as with PyTorch.
#[test]
fn both_engines_agree() {
    let vectors = vectors();
    let double = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    for case in &vectors.cases {
        let made = case.make(&vectors);
        let mut engine = case.engine(&made, &vectors, IsaLevel::Avx512, 6);
        let mut other = case.candle(&made, &vectors);
        engine.differentiate(&vectors.batches[0]);
        let mut gradients = vec![0.0; engine.parameters()];
        engine.gradients(0, &mut gradients);
        let (loss, expected) = other.differentiate(0, &vectors.batches[0]).unwrap();
        assert_close(&[engine.loss(0)], &[loss], 1e-5, &case.name);
        assert_close(&gradients, &expected, 4e-5, &case.name);
        train(&mut engine, &vectors.batches, 0);
        train(&mut other, &vectors.batches[..5], 0);
        let mut resumed = case.candle(&made, &vectors);
        resumed.load(0, &Seed::new(1), 0, &state(&mut other));
        train(&mut resumed, &vectors.batches, 5);
        let tolerance = if case.recipe.optimizer == "adamw" { 1e-3 } else { 2e-4 };
        let count = engine.parameters();
        let (found, expected) = (state(&mut engine), state(&mut resumed));
        assert_close(&found[..count], &double(&expected[..count]), tolerance, &case.name);
    }
}

/// Start values, varied records, masks and views come from the same seeds in both.
#[test]
fn both_engines_vary_records_alike() {
    for ((model, table), dropout) in common::with_dropout(&[None, Some(0.3)]) {
        let name = model.architecture.clone();
        let recipe = TrainingDraft {
            learning_rate: Some(0.05),
            batch: Some(8),
            epochs: Some(2),
            dropout,
            ..TrainingDraft::default()
        };
        let spec = common::varied(model, recipe);
        let network = || Network::new(spec.model(), spec.training(), &table.shape).unwrap();
        let cpu = Cpu::new(table.data(), Isa::at_most(IsaLevel::Avx512));
        let mut lockstep = Lockstep::new(cpu, network(), spec.training(), 10).unwrap();
        let mut candle = Candle::new(table.data(), network(), spec.training(), 10, 2).unwrap();
        let logits = |engine: &mut dyn Engine, shadow: u32, lane: usize| {
            engine.start(lane, spec.seed(), shadow, 0);
            if lane == 1 {
                engine.start(0, spec.seed(), 3, 0);
            }
            for step in 0..3u32 {
                let rows = |from: u32| (0..8).map(move |row| (row * 7 + 13 * step + from) % 60);
                // The same records on the lane that is looked at.
                let rows: Vec<u32> =
                    (0..engine.lanes()).flat_map(|other| rows((lane - other) as u32)).collect();
                engine.train(step.into(), &rows);
            }
            engine.query(8, 8, 2);
            let mut logits = vec![0.0; 8 * 3];
            engine.logits(lane, &mut logits);
            logits
        };
        let expected: Vec<f64> = logits(&mut candle, 5, 1).into_iter().map(f64::from).collect();
        assert_close(&logits(&mut lockstep, 5, 0), &expected, 1e-4, &name);
    }
}
