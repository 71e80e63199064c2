//! Many workers, many packs, one coordinator.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use umbra_tests::{Cluster, EtcdNodes, Metrics, S3};

use crate::stub::{Seen, work_off};
use crate::{Bound, Figure};

/// Records of the data set: what is measured is the coordinator, not the statistics.
const RECORDS: u64 = 64;
/// Packs of an audit, a shadow each.
const AUDIT: u64 = 4_000;
/// How long a stub takes for a pack.
const WORK: Duration = Duration::from_secs(10);

/// Has so many workers work off so many packs for so many seconds, over each meta store there is.
pub fn run(seconds: u64, workers: u64, packs: u64) -> Vec<Figure> {
    let mut figures = over("embedded", &[], &[], seconds, workers, packs);
    if let (Some(etcd), Some(s3)) = (EtcdNodes::start(1, 1), S3::start(1)) {
        let (endpoints, blobs) = (etcd.urls().join(","), format!("s3://{}", S3::BUCKET));
        let settings = ["--meta", "etcd", "--etcd-endpoints", &endpoints, "--blobs", &blobs];
        figures.extend(over("etcd, S3", &settings, &s3.environment(), seconds, workers, packs));
    }
    figures
}

fn over(
    name: &str,
    settings: &[&str],
    environment: &[(String, String)],
    seconds: u64,
    workers: u64,
    packs: u64,
) -> Vec<Figure> {
    let settings = [&["--lease", "30"], settings].concat();
    let cluster = Cluster::in_environment(&settings, environment);
    import(&cluster);
    let begun = Instant::now();
    for audit in 0..packs.div_ceil(AUDIT) {
        submit(&cluster, audit, AUDIT.min(packs - audit * AUDIT));
    }
    let submitted = begun.elapsed();
    let before = cluster.metrics();
    let seen = Arc::new(Seen::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = cluster.server();
    let reached = runtime.block_on(async {
        let stubs = (0..workers).map(|number| {
            let (server, seen) = (server.clone(), seen.clone());
            tokio::spawn(async move {
                // They come one after the other, and stay so: a fleet is not in step.
                tokio::time::sleep(WORK * number as u32 / workers as u32).await;
                work_off(&server, &format!("stub-{number}"), WORK, RECORDS, &seen).await;
            })
        });
        let stubs: Vec<_> = stubs.collect();
        tokio::time::sleep(WORK + Duration::from_secs(seconds)).await;
        stubs.iter().filter(|stub| !stub.is_finished()).count() as f64
    });
    let after = cluster.metrics();
    drop(runtime);
    let waits = std::mem::take(&mut *seen.waits.lock().unwrap());
    let done = after.of("umbra_packs{state=\"done\"}");
    let milliseconds = |share| percentile(&waits, share).as_secs_f64() * 1e3;
    vec![
        Figure::new(format!("{name}: workers that worked to the end"), reached, "")
            .within(Bound::Least(workers as f64)),
        Figure::new(format!("{name}: packs submitted"), packs as f64, ""),
        Figure::new(format!("{name}: seconds to submit them"), submitted.as_secs_f64(), "s"),
        Figure::new(format!("{name}: packs done"), done, ""),
        Figure::new(format!("{name}: packs a second"), waits.len() as f64 / seconds as f64, "/s"),
        Figure::new(format!("{name}: step, 99 % are below"), quantile(&before, &after, 0.99) * 1e3, "ms")
            .within(Bound::Most(1.0)),
        Figure::new(format!("{name}: report to assignment, median"), milliseconds(0.5), "ms"),
        Figure::new(format!("{name}: report to assignment, 99 %"), milliseconds(0.99), "ms")
            .within(Bound::Most(100.0)),
        Figure::new(
            format!("{name}: coordinator's peak memory"),
            cluster.peak_memory() as f64 / 1048576.0,
            "MiB",
        ),
    ]
}

fn import(cluster: &Cluster) {
    let folder = cluster.folder();
    let mut table = String::from("id,x,label\n");
    for i in 0..RECORDS {
        table += &format!("p{i},{}.5,{}\n", i * 37 % 101, i % 3 % 2);
    }
    std::fs::write(folder.join("few.csv"), table).unwrap();
    let schema = "kind = \"table\"\nlabel = \"label\"\nunit = \"id\"\n";
    std::fs::write(folder.join("few.toml"), schema).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let (table, schema) = (path("few.csv"), path("few.toml"));
    cluster.ask(&["dataset", "import", &table, "--schema", &schema, "--name", "few"]).expect(0);
}

fn submit(cluster: &Cluster, audit: u64, packs: u64) {
    let text = format!(
        "name = \"scale\"\nseed = {audit}\n[dataset]\nname = \"few\"\n[model]\narchitecture = \"logistic\"\n\
         [training]\noptimizer = \"sgd\"\nlearning_rate = 0.1\nbatch = 32\nepochs = 1\n[shadows]\ncount = {packs}\n\
         [placement]\npack = 1\n[statistics]\nattacks = [\"global\"]\n"
    );
    let path = cluster.folder().join(format!("audit-{audit}.toml"));
    std::fs::write(&path, text).unwrap();
    cluster.ask(&["audit", "submit", &path.display().to_string()]).expect(0);
}

fn percentile(waits: &[Duration], share: f64) -> Duration {
    let mut sorted = waits.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(Duration::MAX)
}

/// The bound of the bucket below which so large a share of the steps between two readings lies.
fn quantile(before: &Metrics, after: &Metrics, share: f64) -> f64 {
    let buckets = |metrics: &Metrics| metrics.buckets("umbra_step_seconds");
    let earlier = buckets(before);
    let grown: Vec<(f64, f64)> = buckets(after)
        .into_iter()
        .map(|(bound, count)| {
            let known = earlier.iter().find(|(other, _)| *other == bound).map_or(0.0, |(_, count)| *count);
            (bound, count - known)
        })
        .collect();
    let all = grown.last().map_or(0.0, |(_, count)| *count);
    let enough = grown.iter().find(|(_, count)| *count >= share * all);
    enough.map_or(f64::INFINITY, |(bound, _)| *bound)
}

/// The folder with the bundled data.
pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}
