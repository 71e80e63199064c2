//! Shadows that go wrong when they are told to.

use std::cell::Cell;
use std::rc::Rc;

use umbra_core::seed::Seed;
use umbra_core::spec::AuditSpec;
use umbra_train::cpu::{Cpu, Isa};
use umbra_train::engine::Engine;
use umbra_train::lockstep::Lockstep;
use umbra_train::network::Network;

use super::Table;

/// An engine of one lane that starts some (shadow, attempt) with weights that are not numbers, and has some shadows
/// give no numbers to some views, whatever their weights.
pub struct Faulty<'d> {
    engine: Lockstep<Cpu<'d>>,
    bad: Vec<(u32, u32)>,
    mute: Vec<(u32, u32)>,
    steps: Rc<Cell<u64>>,
    shadow: u32,
    view: u32,
}

impl<'d> Faulty<'d> {
    /// Which (shadow, attempt) are `bad`, and which (shadow, view) `mute`.
    pub fn new(
        (spec, table, steps): (&AuditSpec, &'d Table, u64),
        bad: &[(u32, u32)],
        mute: &[(u32, u32)],
    ) -> Self {
        let network = Network::new(spec.model(), spec.training(), &table.shape).unwrap();
        let cpu = Cpu::new(table.data(), Isa::best());
        let engine = Lockstep::new(cpu, network, spec.training(), steps).unwrap();
        let (bad, mute) = (bad.to_vec(), mute.to_vec());
        Self { engine, bad, mute, steps: Rc::default(), shadow: 0, view: 0 }
    }

    /// Counts the steps that are taken, of all shadows.
    pub fn steps(&self) -> Rc<Cell<u64>> {
        self.steps.clone()
    }
}

impl Engine for Faulty<'_> {
    fn lanes(&self) -> usize {
        self.engine.lanes()
    }
    fn parameters(&self) -> usize {
        self.engine.parameters()
    }
    fn start(&mut self, lane: usize, seed: &Seed, shadow: u32, attempt: u32) {
        self.shadow = shadow;
        self.engine.start(lane, seed, shadow, attempt);
        if self.bad.contains(&(shadow, attempt)) {
            let state = vec![f32::NAN; self.engine.state_len()];
            self.engine.load(lane, seed, shadow, &state);
        }
    }
    fn train(&mut self, step: u64, rows: &[u32]) {
        self.steps.set(self.steps.get() + 1);
        self.engine.train(step, rows);
    }
    fn loss(&mut self, lane: usize) -> f32 {
        self.engine.loss(lane)
    }
    fn diverged(&mut self, lane: usize) -> bool {
        self.engine.diverged(lane)
    }
    fn query_rows(&self) -> usize {
        self.engine.query_rows()
    }
    fn answering(&mut self, lane: usize, into: &mut [f32]) {
        self.engine.answering(lane, into);
    }
    fn query(&mut self, first: u32, count: usize, view: u32) {
        self.view = view;
        self.engine.query(first, count, view);
    }
    fn logits(&mut self, lane: usize, into: &mut [f32]) {
        self.engine.logits(lane, into);
        if self.mute.contains(&(self.shadow, self.view)) {
            into.fill(f32::NAN);
        }
    }
    fn state_len(&self) -> usize {
        self.engine.state_len()
    }
    fn save(&mut self, lane: usize, into: &mut [f32]) {
        self.engine.save(lane, into);
    }
    fn load(&mut self, lane: usize, seed: &Seed, shadow: u32, state: &[f32]) {
        self.shadow = shadow;
        self.engine.load(lane, seed, shadow, state);
    }
}
