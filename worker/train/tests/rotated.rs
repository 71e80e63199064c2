//! Turned images against SciPy (vectors/rotate.json, made by vectors/rotate.py), the draws of their angles included.
#![allow(clippy::unwrap_used)]

mod common;

use serde::Deserialize;
use umbra_core::shape::{DataShape, Form};
use umbra_core::spec::{AuditSpec, AugmentDraft, ModelDraft, TrainingDraft};
use umbra_train::augment::Variation;

#[derive(Deserialize)]
struct Vectors {
    key: [u32; 2],
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    shape: [u32; 3],
    most: f64,
    image: Vec<f32>,
    turned: Vec<Vec<f32>>,
}

fn variation(augment: AugmentDraft, [height, width, channels]: [u32; 3]) -> Variation {
    let model = ModelDraft { architecture: "logistic".into(), ..ModelDraft::default() };
    let training = TrainingDraft {
        learning_rate: Some(0.1),
        batch: Some(1),
        epochs: Some(1),
        ..TrainingDraft::default()
    };
    let mut draft = common::spec_of(model, training).to_draft();
    draft.augment = augment;
    let form = Form::Image { height, width, channels };
    let shape = DataShape { form, ..DataShape::table(1, 1, height * width * channels, 2) };
    Variation::new(AuditSpec::try_new(&draft).unwrap().training().augment(), &shape).unwrap()
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/rotate.json")).unwrap()
}

#[test]
fn images_turn_as_in_scipy_by_angles_drawn_for_each() {
    let vectors = vectors();
    for case in vectors.cases {
        let turn = variation(AugmentDraft { rotate: Some(case.most), ..AugmentDraft::default() }, case.shape);
        for (place, expected) in (0..).zip(&case.turned) {
            let (mut image, mut scratch) = (case.image.clone(), vec![0.0; case.image.len()]);
            turn.apply(vectors.key, place, &mut image, &mut scratch);
            // SciPy's numbers lie within [-1, 1] and are written with six digits.
            let off = image.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 2e-6, "{:?}, place {place}: {off}", case.shape);
        }
    }
}

#[test]
fn an_image_is_turned_before_it_is_mirrored_and_moved() {
    let vectors = vectors();
    let case = &vectors.cases[0];
    let all = |rotate, flip, shift| {
        variation(AugmentDraft { rotate, flip, shift, ..AugmentDraft::default() }, case.shape)
    };
    let turn = all(Some(case.most), None, None);
    let rest = all(None, Some(true), Some(1));
    let both = all(Some(case.most), Some(true), Some(1));
    for place in 0..20 {
        let apply = |variations: &[&Variation]| {
            let (mut image, mut scratch) = (case.image.clone(), vec![0.0; case.image.len()]);
            for variation in variations {
                variation.apply(vectors.key, place, &mut image, &mut scratch);
            }
            image
        };
        assert_eq!(apply(&[&both]), apply(&[&turn, &rest]), "{place}");
    }
}
