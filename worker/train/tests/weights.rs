//! Kept weights: names and shapes as PyTorch has them, the same bytes whatever the pack, and the very logits that the
//! shadow gave.
#![allow(clippy::unwrap_used)]

mod common;

use safetensors::SafeTensors;
use umbra_core::spec::TrainingDraft;
use umbra_train::cpu::{Cpu, Isa, IsaLevel};
use umbra_train::engine::Engine;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;
use umbra_train::{PackLogits, PackRun, Status};

use common::{Table, job};

fn recipe(dropout: Option<f64>) -> TrainingDraft {
    TrainingDraft {
        learning_rate: Some(0.05),
        batch: Some(8),
        epochs: Some(2),
        ema: Some(0.8),
        dropout,
        ..TrainingDraft::default()
    }
}

/// Runs to the end, and answers the files of all shadows, by shadow, and the logits.
fn run(mut run: PackRun<'_>, network: &Network) -> (Vec<(u32, Vec<u8>)>, PackLogits) {
    run.keep_weights();
    let mut files = Vec::new();
    loop {
        let status = run.advance(3).unwrap();
        files.extend(run.take_weights().into_iter().map(|w| (w.shadow(), w.encode(network).unwrap())));
        if status == Status::Done {
            return (files, run.finish().unwrap());
        }
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

#[test]
fn kept_weights_give_the_logits_that_the_shadow_gave() {
    for ((model, table), dropout) in common::with_dropout(&[None, Some(0.3)]) {
        let spec = common::spec_of(model.clone(), recipe(dropout));
        let network = Network::new(spec.model(), spec.training(), &table.shape).unwrap();
        let (files, logits) =
            run(PackRun::new(job(&spec, &table, 2..5, 12), table.data(), None).unwrap(), &network);
        assert_eq!(files.iter().map(|file| file.0).collect::<Vec<_>>(), [2, 3, 4]);
        // The third of them alone, in another pack.
        let alone = run(PackRun::new(job(&spec, &table, 4..5, 12), table.data(), None).unwrap(), &network);
        assert!(alone.0[0] == files[2], "{}", model.architecture);

        for (shadow, bytes) in files {
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let mut values = Vec::new();
            for number in 0.. {
                let tensor = |name| file.tensor(&format!("{number}.{name}"));
                let Ok(weight) = tensor("weight") else { break };
                values.extend(floats(weight.data()));
                values.extend(tensor("bias").map(|bias| floats(bias.data())).unwrap_or_default());
            }
            let cpu = Cpu::new(table.data(), Isa::at_most(IsaLevel::Avx512));
            let mut engine = Lockstep::new(cpu, network.clone(), spec.training(), 12).unwrap();
            assert_eq!(values.len(), engine.parameters(), "{}", model.architecture);
            engine.set_parameters(0, &values);
            engine.query(0, table.data().records(), 0);
            let mut found = vec![0.0; logits.shadow(shadow).len()];
            engine.logits(0, &mut found);
            assert_eq!(found, logits.shadow(shadow), "{}", model.architecture);
        }
    }
}

/// As `torch.nn.Conv1d(5, 20, 7, bias=False)`, `GroupNorm(5, 20)` and `Linear(20, 3)` name and shape them.
#[test]
fn names_and_shapes_are_those_of_pytorch() {
    let (model, table) = common::architectures().pop().unwrap();
    let spec = common::spec_of(model, recipe(Some(0.25)));
    let network = Network::new(spec.model(), spec.training(), &table.shape).unwrap();
    let (files, _) = run(PackRun::new(job(&spec, &table, 0..1, 3), table.data(), None).unwrap(), &network);
    let file = SafeTensors::deserialize(&files[0].1).unwrap();
    let shape = |name: &str| file.tensor(name).unwrap().shape().to_vec();
    assert_eq!(shape("0.weight"), [20, 5, 7]);
    assert!(file.tensor("0.bias").is_err());
    assert_eq!((shape("1.weight"), shape("1.bias")), (vec![20], vec![20]));
    let last = file.names().iter().filter(|name| name.ends_with("weight")).count() - 1;
    assert_eq!((shape(&format!("{last}.weight")), shape(&format!("{last}.bias"))), (vec![3, 20], vec![3]));

    let (_, metadata) = SafeTensors::read_metadata(&files[0].1).unwrap();
    let about: serde_json::Value =
        serde_json::from_str(&metadata.metadata().as_ref().unwrap()["umbra"]).unwrap();
    assert_eq!(
        (&about["version"], &about["shadow"], &about["form"]),
        (&1.into(), &0.into(), &vec![1, 41, 5].into())
    );
    let layers = about["layers"].as_array().unwrap();
    let stride = |layer: &serde_json::Value| (layer["kind"] == "conv").then(|| layer["stride"].clone());
    assert!(layers.iter().filter_map(stride).any(|stride| stride == serde_json::json!([2])));
    assert!(layers.iter().any(|layer| layer["kind"] == "dropout" && layer["rate"] == 0.25));
    assert_eq!(layers.iter().filter(|layer| !layer["skip"].is_null()).count(), 2);
}

/// A shadow that diverges twice has no weights, and what nobody asked for is not kept.
#[test]
fn lost_shadows_have_none() {
    let mut table = Table::new(40, 4, 2);
    table.features.iter_mut().for_each(|x| *x *= 1e30);
    let spec = common::spec(&[6], TrainingDraft { learning_rate: Some(1000.0), ..recipe(None) });
    let network = Network::new(spec.model(), spec.training(), &table.shape).unwrap();
    let (files, logits) =
        run(PackRun::new(job(&spec, &table, 0..2, 12), table.data(), None).unwrap(), &network);
    assert!(files.is_empty() && logits.lost() == [0, 1]);
    let mut quiet = PackRun::new(job(&spec, &table, 0..2, 12), table.data(), None).unwrap();
    while quiet.advance(5).unwrap() != Status::Done {}
    assert!(quiet.take_weights().is_empty());
}
