//! Losses, gradients and ten optimiser steps against PyTorch (vectors/pytorch.json, made by vectors/make.py).
#![allow(clippy::unwrap_used)]

mod common;

use serde::Deserialize;
use std::collections::BTreeMap;
use umbra_core::shape::DataShape;
use umbra_core::spec::TrainingDraft;
use umbra_train::TrainingData;
use umbra_train::cpu::{Cpu, Isa};
use umbra_train::engine::Engine;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;

#[derive(Deserialize)]
struct Vectors {
    records: u64,
    features: u32,
    classes: u32,
    values: Vec<f32>,
    labels: Vec<u32>,
    batches: Vec<Vec<u32>>,
    models: BTreeMap<String, Model>,
}

#[derive(Deserialize)]
struct Model {
    widths: Vec<u32>,
    start: Vec<f32>,
    batches: Vec<First>,
    steps: BTreeMap<String, Steps>,
}

#[derive(Deserialize)]
struct First {
    loss: f64,
    gradients: Vec<f64>,
}

#[derive(Deserialize)]
struct Steps {
    recipe: Recipe,
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
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/pytorch.json")).unwrap()
}

/// Runs `check` with an engine for every model and recipe; its batch holds six records.
fn for_each(check: impl Fn(&Vectors, &Model, &Steps, &str, &mut Lockstep<Cpu<'_>>)) {
    let vectors = vectors();
    let shape = DataShape::table(vectors.records, vectors.records, vectors.features, vectors.classes);
    let units: Vec<u32> = (0..vectors.records as u32).collect();
    let data = TrainingData::new(shape, &vectors.values, &vectors.labels, &units).unwrap();
    let mut checked = 0;
    for (name, model) in &vectors.models {
        for (recipe_name, steps) in &model.steps {
            let recipe = &steps.recipe;
            let draft = TrainingDraft {
                optimizer: Some(recipe.optimizer.clone()),
                learning_rate: Some(recipe.learning_rate),
                weight_decay: Some(recipe.weight_decay),
                momentum: recipe.momentum,
                nesterov: recipe.nesterov,
                beta1: recipe.beta1,
                beta2: recipe.beta2,
                epsilon: recipe.epsilon,
                batch: Some(6),
                epochs: Some(6),
                ..TrainingDraft::default()
            };
            let spec = common::spec(&model.widths, draft);
            let network = Network::new(spec.model(), spec.training(), &shape).unwrap();
            let cpu = Cpu::new(data, Isa::best());
            let mut engine = Lockstep::new(cpu, network, spec.training(), 10).unwrap();
            engine.set_parameters(0, &model.start);
            check(&vectors, model, steps, &format!("{name}, {recipe_name}"), &mut engine);
            checked += 1;
        }
    }
    assert_eq!(checked, 6);
}

/// Both within 1e-5 of the largest number, which is 80 times f32's resolution.
fn assert_close(got: &[f32], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    for (i, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(got) - expected).abs();
        assert!(error <= 1e-5 * scale, "{what}: entry {i} is {got}, PyTorch has {expected}");
    }
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    for_each(|vectors, model, _, what, engine| {
        // The first batch holds the record whose first hidden sum is exactly 0; the second is partial.
        assert_eq!((vectors.batches[0].len(), vectors.batches[1].len()), (6, 4));
        for (rows, first) in vectors.batches.iter().zip(&model.batches) {
            engine.differentiate(rows);
            assert_close(&[engine.loss(0)], &[first.loss], what);
            let mut gradients = vec![0.0; engine.parameters()];
            engine.gradients(0, &mut gradients);
            assert_close(&gradients, &first.gradients, what);
        }
    });
}

#[test]
fn ten_steps_end_where_pytorch_ends() {
    for_each(|vectors, _, steps, what, engine| {
        for (step, rows) in vectors.batches.iter().enumerate() {
            engine.train(step as u64, rows);
        }
        let mut state = vec![0.0; engine.state_len()];
        engine.save(0, &mut state);
        assert_close(&state[..engine.parameters()], &steps.parameters, what);
        engine.query(0, vectors.records as usize, 0);
        let mut logits = vec![0.0; steps.logits.len()];
        engine.logits(0, &mut logits);
        assert_close(&logits, &steps.logits, what);
    });
}
