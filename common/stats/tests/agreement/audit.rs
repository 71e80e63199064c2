//! An audit made of stored inputs.

use umbra_core::seed::Seed;
use umbra_stats::{
    AttackKind, AttackResult, Config, Design, Inputs, Labels, MembershipMatrix, MemoryLogits, MemoryScores,
    MemoryScratch, Population, Shape, analyse_into,
};

use crate::vectors::Vectors;

/// What an analysis is made from, owned.
pub struct Audit {
    source: MemoryLogits,
    labels: OwnedLabels,
    units: Vec<u32>,
    membership: MembershipMatrix,
    design: Design,
    population: Option<(MemoryLogits, OwnedLabels)>,
    seed: Seed,
    shape: Shape,
}

/// The scores `[shadow][record]` and figures of one attack.
pub struct Scored {
    pub scores: Vec<f64>,
    pub result: AttackResult,
    records: usize,
}

impl Scored {
    /// The scores of one target.
    pub fn of(&self, target: usize) -> &[f64] {
        &self.scores[target * self.records..(target + 1) * self.records]
    }
}

enum OwnedLabels {
    Class(Vec<u32>),
    Multi(Vec<u8>),
}

impl OwnedLabels {
    /// `[record]`, or `[record, label]`.
    fn read(vectors: &Vectors, name: &str) -> Self {
        let labels = vectors.whole(name);
        match vectors.shape(name).len() {
            1 => Self::Class(labels),
            _ => Self::Multi(labels.into_iter().map(|label| label as u8).collect()),
        }
    }

    fn view(&self) -> Labels<'_> {
        match self {
            Self::Class(labels) => Labels::Class(labels),
            Self::Multi(labels) => Labels::Multi(labels),
        }
    }
}

/// Logits `[shadow, record, query, class]`, in the precision they are stored in.
fn logits(vectors: &Vectors, name: &str) -> (Shape, MemoryLogits) {
    let [shadows, records, queries, classes] = vectors.shape(name)[..] else {
        panic!("{name} has four axes")
    };
    let shape = Shape { shadows, records, queries, classes };
    let values = vectors.get(name);
    let at = |s, r, q, c| values[((s * records + r) * queries + q) * classes + c];
    let source = if vectors.is_double(name) {
        MemoryLogits::from_fn(shape, at)
    } else {
        MemoryLogits::from_fn(shape, |s, r, q, c| at(s, r, q, c) as f32)
    };
    (shape, source)
}

impl Audit {
    /// From the arrays `name/logits`, `name/labels` and `name/membership` `[shadow, record]`; every record is
    /// its own unit. With a population if there are arrays of one.
    pub fn new(vectors: &Vectors, name: &str, design: Design) -> Self {
        let array = |what: &str| format!("{name}/{what}");
        let (shape, source) = logits(vectors, &array("logits"));
        let membership = vectors.get(&array("membership"));
        let labels = if vectors.has(&array("labels")) {
            OwnedLabels::read(vectors, &array("labels"))
        } else {
            OwnedLabels::Class(vec![1; shape.records])
        };
        let population = vectors.has(&array("population-logits")).then(|| {
            let (_, source) = logits(vectors, &array("population-logits"));
            (source, OwnedLabels::read(vectors, &array("population-labels")))
        });
        Self {
            source,
            labels,
            units: (0..shape.records as u32).collect(),
            membership: MembershipMatrix::from_fn(shape.shadows, shape.records, |shadow, record| {
                membership[shadow * shape.records + record] == 1.0
            }),
            design,
            population,
            seed: Seed::new(0),
            shape,
        }
    }

    /// One shadow that was trained on nothing, from logits `[record][class]`: for the signals themselves.
    pub fn of_rows(logits: &[f64], classes: usize, labels: Vec<u32>) -> Self {
        let shape = Shape { shadows: 1, records: labels.len(), queries: 1, classes };
        Self {
            source: MemoryLogits::try_new(shape, logits.to_vec()).unwrap(),
            labels: OwnedLabels::Class(labels),
            units: (0..shape.records as u32).collect(),
            membership: MembershipMatrix::from_fn(1, shape.records, |_, _| false),
            design: Design::bernoulli(),
            population: None,
            seed: Seed::new(0),
            shape,
        }
    }

    /// The scores and figures of one attack.
    pub fn attack(&self, kind: AttackKind, config: Config) -> Scored {
        let inputs = Inputs {
            source: &self.source,
            labels: self.labels.view(),
            units: &self.units,
            membership: self.membership.view(),
            design: &self.design,
            population: self
                .population
                .as_ref()
                .map(|(source, labels)| Population { source, labels: labels.view() }),
            attributes: &[],
            seed: &self.seed,
        };
        let config =
            Config { attacks: vec![kind], bootstrap: 0, calibrated: false, permutations: 1, ..config };
        let mut scores = MemoryScores::new(self.shape.shadows, self.shape.records);
        let found = analyse_into(
            &inputs,
            &config,
            &|_| std::ops::ControlFlow::Continue(()),
            &mut scores,
            &MemoryScratch,
        )
        .unwrap();
        Scored {
            scores: scores.of(kind).unwrap().to_vec(),
            result: found.attacks.into_iter().next().unwrap(),
            records: self.shape.records,
        }
    }
}
