//! Gradients against finite differences of a plain f64 forward pass.
#![allow(clippy::unwrap_used)]

mod common;

use umbra_core::seed::{Purpose, Seed};
use umbra_core::spec::TrainingDraft;
use umbra_train::cpu::{Cpu, Isa, IsaLevel};
use umbra_train::engine::Engine;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;

/// The mean cross-entropy, written from its definition; parameters in PyTorch's order.
fn loss(widths: &[usize], params: &[f64], table: &common::Table, rows: &[u32]) -> f64 {
    let mut total = 0.0;
    for &row in rows {
        let row = row as usize;
        let mut values: Vec<f64> =
            table.features[row * widths[0]..][..widths[0]].iter().map(|&x| f64::from(x)).collect();
        let mut at = 0;
        for (layer, pair) in widths.windows(2).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            let weight = &params[at..][..inputs * outputs];
            let bias = &params[at + inputs * outputs..][..outputs];
            at += inputs * outputs + outputs;
            let sum =
                |j: usize| bias[j] + (0..inputs).map(|i| weight[j * inputs + i] * values[i]).sum::<f64>();
            let mut next: Vec<f64> = (0..outputs).map(sum).collect();
            if layer + 2 < widths.len() {
                next.iter_mut().for_each(|x| *x = x.max(0.0));
            }
            values = next;
        }
        let sum: f64 = values.iter().map(|&z| libm::exp(z)).sum();
        total += libm::log(sum) - values[table.labels[row] as usize];
    }
    total / rows.len() as f64
}

#[test]
fn gradients_are_slopes() {
    // Widths below, at and above the vector widths; batches of one, odd, and beyond one inner pass.
    for (hidden, features, classes, batch) in
        [(vec![], 5, 4, 7), (vec![16], 3, 2, 1), (vec![33, 18], 20, 3, 29), (vec![40], 6, 17, 300)]
    {
        let table = common::Table::new(310, features, classes);
        let draft = TrainingDraft {
            learning_rate: Some(0.1),
            batch: Some(batch),
            epochs: Some(1),
            ..TrainingDraft::default()
        };
        let spec = common::spec(&hidden, draft);
        let network = Network::new(spec.model(), spec.training(), &table.shape).unwrap();
        let mut widths = vec![features as usize];
        widths.extend(hidden.iter().map(|&width| width as usize));
        widths.push(classes as usize);
        let rows: Vec<u32> = (0..batch).map(|i| (i * 7) % 310).collect();
        for level in [IsaLevel::Portable, IsaLevel::Avx2, IsaLevel::Avx512] {
            let cpu = Cpu::new(table.data(), Isa::at_most(level));
            let mut engine = Lockstep::new(cpu, network.clone(), spec.training(), 1).unwrap();
            let mut params = vec![0.0f32; engine.parameters()];
            let mut stream = Seed::new(3).stream(Purpose::Simulation, &[]);
            params.iter_mut().for_each(|value| *value = 0.3 * stream.normal_f64() as f32);
            engine.set_parameters(0, &params);
            engine.differentiate(&rows);
            let mut gradients = vec![0.0f32; params.len()];
            engine.gradients(0, &mut gradients);
            let params: Vec<f64> = params.iter().map(|&x| f64::from(x)).collect();
            assert!((f64::from(engine.loss(0)) - loss(&widths, &params, &table, &rows)).abs() < 1e-5);
            for index in (0..params.len()).step_by(1 + params.len() / 60) {
                let slope = |h: f64| {
                    let mut moved = params.clone();
                    moved[index] += h;
                    loss(&widths, &moved, &table, &rows)
                };
                let expected = (slope(1e-5) - slope(-1e-5)) / 2e-5;
                let error = (f64::from(gradients[index]) - expected).abs();
                assert!(error < 1e-5, "{hidden:?} {level:?} {index}: {} {expected}", gradients[index]);
            }
        }
    }
}

/// Every tensor of every architecture, with and without dropout, against central differences of the network in f64,
/// h = 1e-6: within 2e-5 of the largest gradient.
#[test]
fn gradients_of_every_layer_are_slopes() {
    let rates = [None, Some(0.3)];
    for ((model, table), dropout) in common::with_dropout(&rates) {
        let name = format!("{}, dropout {dropout:?}", model.architecture);
        let draft = TrainingDraft {
            learning_rate: Some(0.1),
            batch: Some(3),
            epochs: Some(1),
            dropout,
            ..TrainingDraft::default()
        };
        let spec = common::spec_of(model, draft);
        let network = Network::new(spec.model(), spec.training(), &table.shape).unwrap();
        let cpu = Cpu::new(table.data(), Isa::best());
        let mut engine = Lockstep::new(cpu, network.clone(), spec.training(), 1).unwrap();
        engine.start(0, &Seed::new(5), 0, 0);
        let mut params = vec![0.0f32; engine.state_len()];
        engine.save(0, &mut params);
        params.truncate(engine.parameters());
        let mut stream = Seed::new(6).stream(Purpose::Simulation, &[]);
        params.iter_mut().for_each(|value| *value += 0.1 * stream.normal_f64() as f32);
        engine.set_parameters(0, &params);
        let rows = [4, 17, 33];
        engine.differentiate_at(2, &rows);
        // What the step leaves out stays left out as parameters move.
        let masks = dropout.map(|_| umbra_train::dropout::key(&Seed::new(5), 0, 2));
        let mut gradients = vec![0.0f32; params.len()];
        engine.gradients(0, &mut gradients);
        let width = table.shape.features as usize;
        let records: Vec<(&[f32], u32)> = rows
            .iter()
            .map(|&row| (&table.features[row as usize * width..][..width], table.labels[row as usize]))
            .collect();
        let params: Vec<f64> = params.iter().map(|&x| f64::from(x)).collect();
        let exact = common::reference::loss(&network, &params, &records, masks);
        assert!((f64::from(engine.loss(0)) - exact).abs() < 1e-5 * exact.abs().max(1.0), "{name}");
        let scale = gradients.iter().fold(0.0f64, |most, &g| most.max(f64::from(g).abs()));
        let mut first = 0;
        for tensor in network.tensors() {
            for index in (first..first + tensor.len()).step_by(1 + tensor.len() / 4) {
                let slope = |h: f64| {
                    let mut moved = params.clone();
                    moved[index] += h;
                    common::reference::loss(&network, &moved, &records, masks)
                };
                let expected = (slope(1e-6) - slope(-1e-6)) / 2e-6;
                let error = (f64::from(gradients[index]) - expected).abs();
                assert!(error < 2e-5 * scale, "{name}, {index}: {} for {expected}", gradients[index]);
            }
            first += tensor.len();
        }
    }
}
