//! What the cluster adds to training: the example audit, against the same training in a bare loop.

use std::sync::Mutex;
use std::time::Instant;

use umbra_core::digest::Digest;
use umbra_core::membership::Membership;
use umbra_core::plan::plan;
use umbra_core::spec::{AuditSpec, ModelDraft, ShadowsDraft, SpecDraft, TrainingDraft};
use umbra_data::{Dataset, Schema, import};
use umbra_tests::umbra;
use umbra_train::{Device, PackJob, PackMembership, Status, TrainingData};

use crate::fleet::data;
use crate::{Bound, Figure};

/// Slots, and threads of the bare loop.
const SLOTS: usize = 2;

pub fn run(rounds: u64) -> Vec<Figure> {
    let (dataset, spec) = (dataset(), spec());
    let (mut bare, mut cluster) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare.push(loop_bare(&dataset, &spec));
        cluster.push(train_as_audit());
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (bare, cluster) = (median(&mut bare), median(&mut cluster));
    vec![
        Figure::new("bare loop, training", bare, "s"),
        Figure::new("audit, first assignment to last report", cluster, "s"),
        Figure::new("overhead", (cluster / bare - 1.0) * 100.0, "%").within(Bound::Most(3.0)),
    ]
}

fn dataset() -> Dataset {
    let schema = std::fs::read_to_string(data().join("support2.schema.toml")).unwrap();
    let beside = data().join("support2.schema.toml").display().to_string();
    let imported =
        import(data().join("support2.parquet"), &Schema::parse(&schema, &beside).unwrap()).unwrap();
    Dataset::from_bytes(imported.bytes).unwrap()
}

/// As in deploy/examples/support2.toml.
fn spec() -> AuditSpec {
    let draft = SpecDraft {
        name: "support2-mlp".into(),
        seed: 7,
        dataset: "support2".into(),
        model: ModelDraft { architecture: "mlp".into(), widths: vec![256, 256], ..ModelDraft::default() },
        training: TrainingDraft {
            optimizer: Some("sgd".into()),
            learning_rate: Some(0.05),
            momentum: Some(0.9),
            schedule: Some("constant".into()),
            batch: Some(256),
            epochs: Some(40),
            ..TrainingDraft::default()
        },
        shadows: ShadowsDraft { count: Some(64), block: Some(16), population: None },
        ..SpecDraft::default()
    };
    AuditSpec::try_new(&draft).unwrap()
}

/// Trains every pack and drops what comes of it; the seconds it takes.
fn loop_bare(dataset: &Dataset, spec: &AuditSpec) -> f64 {
    let digests: Vec<Digest> = dataset.unit_digests().collect();
    let membership = Membership::of(spec, &digests);
    let plan = plan(spec, &dataset.shape());
    let queue = Mutex::new(plan.packs.iter());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..SLOTS {
            scope.spawn(|| {
                loop {
                    let Some(pack) = queue.lock().unwrap().next() else { return };
                    let job = PackJob {
                        seed: spec.seed().clone(),
                        data: dataset.digest(),
                        model: spec.model().clone(),
                        training: spec.training().clone(),
                        queries: spec.queries().clone(),
                        steps: plan.steps,
                        shadows: pack.shadows.clone(),
                        membership: PackMembership::select(&membership, pack.shadows.clone()).unwrap(),
                        isa_limit: None,
                    };
                    let mut run = Device::Cpu.begin(job, TrainingData::of(dataset).unwrap(), None).unwrap();
                    while run.advance(256).unwrap() != Status::Done {}
                    drop(run.finish().unwrap());
                }
            });
        }
    });
    begun.elapsed().as_secs_f64()
}

/// The seconds that the audit's packs took.
fn train_as_audit() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let example = data().join("../../deploy/examples/support2.toml").display().to_string();
    let out = folder.path().join("out").display().to_string();
    umbra(folder.path(), &["run", &example, "--out", &out, "--workers", &SLOTS.to_string()]).expect(0);
    let run = std::fs::read(folder.path().join("out/run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_slice(&run).unwrap();
    run["training_seconds"].as_f64().unwrap()
}
