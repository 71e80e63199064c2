//! What the tests draw and build.

#![allow(dead_code, reason = "each test binary uses its share")]

use std::collections::HashMap;
use std::ops::ControlFlow;

use umbra_core::seed::{Purpose, Seed, Stream};
use umbra_stats::{
    Analysis, Attribute, Config, Design, Inputs, Labels, MembershipMatrix, MemoryLogits, MemoryScratch,
    MemoryTables, Shape, analyse_into,
};

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

    pub fn analyse(&self, config: &Config) -> Found {
        Found::of(&self.inputs(), config)
    }
}

/// What was found, and the rows of the tables.
#[derive(Debug)]
pub struct Found {
    pub whole: Analysis,
    pub tables: MemoryTables,
}

impl Found {
    pub fn of(inputs: &Inputs<'_>, config: &Config) -> Self {
        let mut tables = MemoryTables::default();
        let on = |_: f64| ControlFlow::Continue(());
        let whole = analyse_into(inputs, config, &on, &mut tables, &MemoryScratch).unwrap();
        Self { whole, tables }
    }
}

impl std::ops::Deref for Found {
    type Target = Analysis;

    fn deref(&self) -> &Analysis {
        &self.whole
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

/// The null of U summed over strata, by the recurrence of Mann and Whitney 1947; shares nothing with the
/// crate.
#[derive(Default)]
pub struct RankNull {
    attainable: HashMap<Vec<(u32, u32)>, f64>,
}

impl RankNull {
    /// The largest P(U >= u) that is at most `level`.
    pub fn attainable(&mut self, strata: &[(u32, u32)], level: f64) -> f64 {
        if let Some(&found) = self.attainable.get(strata) {
            return found;
        }
        let mut total = vec![1.0];
        for &(m, n) in strata {
            let one = mann_whitney(m as usize, n as usize);
            let mut sum = vec![0.0; total.len() + one.len() - 1];
            for (i, x) in total.iter().enumerate() {
                one.iter().enumerate().for_each(|(j, y)| sum[i + j] += x * y);
            }
            total = sum;
        }
        let (mut tail, mut found) = (0.0, 0.0);
        for p in total.iter().rev() {
            tail += p;
            if tail <= level {
                found = tail;
            }
        }
        self.attainable.insert(strata.to_vec(), found);
        found
    }
}

/// P(U = u) of m against n.
fn mann_whitney(m: usize, n: usize) -> Vec<f64> {
    if m == 0 || n == 0 {
        return vec![1.0];
    }
    let mut out = vec![0.0; m * n + 1];
    let (last_in, last_out) = (m as f64 / (m + n) as f64, n as f64 / (m + n) as f64);
    mann_whitney(m - 1, n).iter().zip(&mut out[n..]).for_each(|(f, sum)| *sum += last_in * f);
    mann_whitney(m, n - 1).iter().zip(&mut out).for_each(|(f, sum)| *sum += last_out * f);
    out
}
