//! What the tests draw and build.

#![allow(dead_code, reason = "each test binary uses its share")]

use umbra_core::seed::{Purpose, Seed, Stream};
use umbra_stats::{Attribute, Config, Design, Inputs, Labels, MembershipMatrix, MemoryLogits, Shape};

/// One audit of a model with a single logit, all labels 1: the logits are the signals.
pub struct Audit {
    pub source: MemoryLogits,
    pub labels: Vec<u32>,
    pub units: Vec<u32>,
    pub membership: MembershipMatrix,
    pub design: Design,
    pub attributes: Vec<Attribute>,
    pub seed: Seed,
}

impl Audit {
    /// `signal` gives the logit of (shadow, record, is IN, a standard normal number).
    pub fn draw(
        seed: u64,
        (shadows, block): (usize, usize),
        records_of: &[usize],
        signal: impl Fn(usize, usize, bool, f64) -> f64,
    ) -> Self {
        let seed = Seed::new(seed);
        let membership =
            blocked(shadows, records_of.len(), block, &mut seed.stream(Purpose::Membership, &[]));
        let units: Vec<u32> =
            (0u32..).zip(records_of).flat_map(|(unit, &n)| std::iter::repeat_n(unit, n)).collect();
        let mut stream = seed.stream(Purpose::Simulation, &[]);
        let mut values = Vec::with_capacity(shadows * units.len());
        for (record, &unit) in units.iter().enumerate() {
            for shadow in 0..shadows {
                let inside = membership.view().is_in(shadow, unit as usize);
                values.push(signal(shadow, record, inside, stream.normal_f64()) as f32);
            }
        }
        let shape = Shape { shadows, records: units.len(), queries: 1, classes: 1 };
        Self {
            source: MemoryLogits::try_new(shape, values).unwrap(),
            labels: vec![1; units.len()],
            units,
            membership,
            design: Design::blocks(block),
            attributes: Vec::new(),
            seed,
        }
    }

    pub fn inputs(&self) -> Inputs<'_> {
        Inputs {
            source: &self.source,
            labels: Labels::Class(&self.labels),
            units: &self.units,
            membership: self.membership.view(),
            design: &self.design,
            population: None,
            attributes: &self.attributes,
            seed: &self.seed,
        }
    }

    pub fn analyse(&self, config: &Config) -> umbra_stats::Analysis {
        umbra_stats::analyse(&self.inputs(), config, &|_| {}).unwrap()
    }
}

/// Membership by blocks: each unit alone, exactly half of every block.
pub fn blocked(shadows: usize, units: usize, block: usize, stream: &mut Stream) -> MembershipMatrix {
    let mut columns = vec![false; shadows * units];
    for half in columns.chunks_exact_mut(block) {
        half[..block / 2].fill(true);
        stream.shuffle(half);
    }
    MembershipMatrix::from_fn(shadows, units, |shadow, unit| columns[unit * shadows + shadow])
}

/// A packed column: within every block exactly half of the shadows, each choice equally likely.
pub fn column(shadows: usize, block: usize, stream: &mut Stream) -> Vec<u64> {
    let mut sides = vec![false; shadows];
    for half in sides.chunks_exact_mut(block) {
        half[..block / 2].fill(true);
        stream.shuffle(half);
    }
    let mut words = vec![0; shadows.div_ceil(64)];
    (0..shadows).filter(|&shadow| sides[shadow]).for_each(|shadow| words[shadow / 64] |= 1 << (shadow % 64));
    words
}

/// Signals `[record][shadow]`: standard normal, correlated by `rho` between the records of a shadow.
pub fn correlated(records: usize, shadows: usize, rho: f64, stream: &mut Stream) -> Vec<f64> {
    let common: Vec<f64> = (0..shadows).map(|_| rho.sqrt() * stream.normal_f64()).collect();
    let own = (1.0 - rho).sqrt();
    (0..records * shadows).map(|i| common[i % shadows] + own * stream.normal_f64()).collect()
}
