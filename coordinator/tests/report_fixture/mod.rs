//! A small simulated audit: patients of two attributes, some with two records, some of whom leak.

#![allow(dead_code, clippy::unwrap_used)] // Each test binary uses a part of it.

use std::ops::ControlFlow;
use std::path::Path;

use umbra_coordinator::report::{
    Dataset, FindingsFile, FindingsFiles, Gathered, LabelNames, Rows, RunFacts, SourceRows, Subject,
    WorkerFacts,
};
use umbra_core::digest::Digest;
use umbra_core::ids::AuditId;
use umbra_core::keys::FindingsKey;
use umbra_core::membership::Membership;
use umbra_core::seed::{Purpose, Seed, Stream};
use umbra_core::shape::DataShape;
use umbra_core::spec::{AuditSpec, ModelDraft, ShadowsDraft, SpecDraft, TrainingDraft};
use umbra_stats::{
    Analysis, Attribute, Config, Design, Inputs, Labels, MemoryLogits, MemoryScratch, Shape, Sink,
    analyse_into,
};

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub units: usize,
    pub shadows: u32,
    pub block: u32,
    /// Whether anybody leaks.
    pub leak: bool,
    /// Whether names attack the reader of the report.
    pub hostile: bool,
    /// Shadows that gave nothing.
    pub lost: &'static [u32],
}

/// The usual case.
pub const LEAKY: Plan = Plan { units: 600, shadows: 64, block: 16, leak: true, hostile: false, lost: &[] };

/// What markup, long, invisible and right-to-left text do to a page.
pub const HOSTILE: [&str; 4] = [
    "<script>alert('x')</script>",
    "\"><img src=x onerror=alert(1)>&amp;",
    "a\u{202e}b\u{0}c\nd{{ e }}{% f %}",
    "</title></svg></style><!--",
];

/// A data set, its audit, and what was found.
pub struct World {
    plan: Plan,
    audit: AuditId,
    spec: AuditSpec,
    pub config: Config,
    source_rows: Vec<u64>,
    pub unit_names: Vec<String>,
    pub class_names: Vec<String>,
    label: String,
    pub attributes: Vec<Attribute>,
    pub membership: Membership,
    pub records: usize,
    logits: MemoryLogits,
    labels: Vec<u32>,
    pub units: Vec<u32>,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let spec = spec(plan);
        let mut random = Seed::new(11).stream(Purpose::Simulation, &[]);
        let hostile = |i: usize, name: String| match plan.hostile {
            true => format!("{}{name}", HOSTILE[i % HOSTILE.len()]),
            false => name,
        };
        let unit_names: Vec<String> =
            (0..plan.units).map(|i| hostile(i, format!("P{:05}", 10_001 + i))).collect();
        let attributes = vec![
            attribute(&mut random, plan.units, hostile(0, "sex".to_owned()), &["female", "male"], &hostile),
            attribute(
                &mut random,
                plan.units,
                hostile(1, "disease".to_owned()),
                &["ARF/MOSF w/Sepsis", "CHF", "COPD", "Cirrhosis", "Colon cancer", "Coma", "Lung cancer"],
                &hostile,
            ),
        ];
        let units: Vec<u32> = (0..plan.units as u32)
            .flat_map(|unit| std::iter::repeat_n(unit, if unit % 10 == 3 { 2 } else { 1 }))
            .collect();
        let records = units.len();
        let labels: Vec<u32> = (0..records).map(|_| u32::from(random.uniform_f64() < 0.47)).collect();
        let digests: Vec<_> = (0..plan.units).map(|unit| Digest::of(&unit.to_le_bytes())).collect();
        let membership = Membership::draw(spec.seed(), plan.shadows, plan.block, digests.iter());
        let signals = signals(&mut random, plan, &membership, &units, &attributes[1]);
        let shape = Shape { shadows: plan.shadows as usize, records, queries: 1, classes: 2 };
        let logits = MemoryLogits::from_fn(shape, |shadow, record, _, class| {
            let label = labels[record] as usize;
            let lost = plan.lost.contains(&(shadow as u32));
            let signal = if lost { f32::NAN } else { signals[record * shape.shadows + shadow] };
            if class == label { signal } else { 0.0 }
        });
        Self {
            plan,
            audit: AuditId::derive(spec.name(), &Digest::of(b"request")),
            spec,
            config: Config {
                permutations: 499,
                bootstrap: 50,
                intersections: vec![(attributes[0].name.clone(), attributes[1].name.clone())],
                ..Config::default()
            },
            source_rows: (0..records as u64).map(|record| record * 2).collect(),
            unit_names,
            class_names: vec![hostile(0, "0".to_owned()), hostile(3, "1".to_owned())],
            label: hostile(2, "death_180d".to_owned()),
            attributes,
            membership,
            records,
            logits,
            labels,
            units,
        }
    }

    pub fn analyse(&self, sink: &mut dyn Sink) -> Analysis {
        let m = &self.membership;
        let membership = umbra_stats::Membership::new(m.shadows() as usize, m.units(), m.bits()).unwrap();
        let design = Design::blocks(self.plan.block as usize).with_lost(self.plan.lost.iter().copied());
        let inputs = Inputs {
            source: &self.logits,
            labels: Labels::Class(&self.labels),
            units: &self.units,
            membership,
            design: &design,
            population: None,
            attributes: &self.attributes,
            seed: self.spec.seed(),
        };
        analyse_into(&inputs, &self.config, &|_| ControlFlow::Continue(()), sink, &MemoryScratch).unwrap()
    }

    /// The analysis, and its files in a folder but for those that come last.
    pub fn write(&self, dir: &Path) -> (Analysis, Vec<FindingsFile>, Gathered) {
        let shadows = self.membership.shadows() as usize;
        let mut sink = FindingsFiles::create(dir, shadows, self.subject().rows).unwrap();
        let analysis = self.analyse(&mut sink);
        let (files, gathered) = sink.finish().unwrap();
        (analysis, files, gathered)
    }

    pub fn subject(&self) -> Subject<'_> {
        let shape = DataShape::table(self.records as u64, self.unit_names.len() as u64, 51, 2);
        Subject {
            audit: &self.audit,
            spec: &self.spec,
            dataset: Dataset {
                name: "support2",
                digest: Digest::of(b"data"),
                shape,
                label: &self.label,
                classes: &self.class_names,
                unit: Some("patient_id"),
            },
            rows: Rows {
                source_rows: SourceRows::Given(&self.source_rows),
                unit_names: &self.unit_names,
                labels: LabelNames::Classes(&self.class_names),
                attributes: &self.attributes,
            },
            record_units: &self.units,
            membership: &self.membership,
            config: &self.config,
            numerics: "lockstep-cpu-f32-avx2-1",
            steps: 712,
            lost: self.plan.lost,
            findings: FindingsKey(Digest::of(b"findings")),
        }
    }
}

/// What a run leaves behind; `host` differs from run to run.
pub fn run_facts(host: &str) -> RunFacts {
    RunFacts {
        started_unix_ms: 1_700_000_000_000,
        ended_unix_ms: 1_700_000_061_000,
        training_seconds: 55.25,
        statistics_seconds: 1.5,
        host: host.to_owned(),
        version: "0.1.0".to_owned(),
        workers: vec![WorkerFacts {
            id: "w".into(),
            host: host.to_owned(),
            slots: 2,
            packs: 16,
            ..Default::default()
        }],
        packs: 16,
        ..RunFacts::default()
    }
}

fn spec(plan: Plan) -> AuditSpec {
    let draft = SpecDraft {
        name: "support2-mlp".to_owned(),
        seed: 7_919_000_000_000_000_321,
        dataset: "support2".to_owned(),
        model: ModelDraft { architecture: "mlp".to_owned(), widths: vec![256, 256], ..ModelDraft::default() },
        training: TrainingDraft {
            learning_rate: Some(0.05),
            batch: Some(256),
            epochs: Some(40),
            ..TrainingDraft::default()
        },
        shadows: ShadowsDraft { count: Some(plan.shadows), block: Some(plan.block), population: None },
        ..SpecDraft::default()
    };
    AuditSpec::try_new(&draft).unwrap()
}

/// Levels of falling frequency; one unit in forty has none.
fn attribute(
    random: &mut Stream,
    units: usize,
    name: String,
    levels: &[&str],
    hostile: &dyn Fn(usize, String) -> String,
) -> Attribute {
    let count = levels.len() as f64;
    let mut level = || match random.uniform_f64() {
        u if u < 0.025 => None,
        _ => {
            let u = random.uniform_f64();
            Some((u * u * count) as u32)
        }
    };
    let values = (0..units).map(|_| level()).collect();
    let levels = levels.iter().enumerate().map(|(i, level)| hostile(i, (*level).to_owned())).collect();
    Attribute { name, values, levels }
}

/// Signals `[record][shadow]`: a record's own level, noise, and a shift where the model knows the unit.
/// Most units shift a little, some much; those of the third disease more than the others.
fn signals(
    random: &mut Stream,
    plan: Plan,
    membership: &Membership,
    units: &[u32],
    disease: &Attribute,
) -> Vec<f32> {
    let mut signals = Vec::with_capacity(units.len() * plan.shadows as usize);
    for &unit in units {
        let level = 1.0 + 1.5 * random.normal_f64();
        let scale = if disease.values.get(unit as usize) == Some(2) { 2.5 } else { 1.0 };
        let shift = match random.uniform_f64() {
            _ if !plan.leak => 0.0,
            u if u < 0.04 => 6.0,
            u if u < 0.16 => 2.4,
            u if u < 0.40 => 1.0,
            _ => 0.3,
        };
        for shadow in 0..plan.shadows {
            let inside = if membership.is_in(shadow, unit as usize) { 1.0 } else { 0.0 };
            signals.push((level + random.normal_f64() + inside * scale * shift) as f32);
        }
    }
    signals
}
