//! `umbra attack`: the attacks on logits from elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use umbra_runtime::Drain;
use umbra_stats::Shape;

use crate::attack::{Arrays, Found, Meter, Mistakes, Options, Paths, Place, Settings, Work};
use crate::exit::Failure;
use crate::headlines::Headlines;
use crate::output::{Format, Output, note};
use crate::{host, human};

/// How long the computation may take to notice that it is to stop.
const WIND_UP: Duration = Duration::from_secs(20);

/// Arguments of `umbra attack`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads arrays that numpy saved and writes summary.json, records.parquet, patients.parquet and \
                  scores-<attack>.npy; no coordinator is needed. Every shadow is played as the target once, the \
                  others are its references.\n\nExamples:\n  umbra attack --logits L.npy --labels Y.npy \
                  --membership K.npy --units U.npy --out findings\n  umbra attack --logits L.npy --labels Y.npy \
                  --membership K.npy --population-logits P.npy \\\n      --population-labels PY.npy --attack \
                  lira-online,rmia --design blocks:16 --out findings"
)]
pub struct Args {
    /// Logits, float32 or float64: [shadows, records, classes] or [shadows, records, queries, classes]; one
    /// class is one sigmoid logit
    #[arg(long, value_name = "FILE", help_heading = "Arrays")]
    logits: PathBuf,
    /// Labels: [records], counted from 0; or uint8 [records, classes] for several labels a record, 255 where
    /// one is not known
    #[arg(long, value_name = "FILE", help_heading = "Arrays")]
    labels: PathBuf,
    /// Membership, bool or uint8 [shadows, records]: whether a shadow was trained on a record
    #[arg(long, value_name = "FILE", help_heading = "Arrays")]
    membership: PathBuf,
    /// Units, whole numbers or text [records]: the patient of every record [default: each record alone]
    #[arg(long, value_name = "FILE", help_heading = "Arrays")]
    units: Option<PathBuf>,
    /// Logits of records that no shadow was trained on, for rmia: [shadows, population, (queries,) classes]
    #[arg(long, value_name = "FILE", requires = "population_labels", help_heading = "Arrays")]
    population_logits: Option<PathBuf>,
    /// Labels of the population
    #[arg(long, value_name = "FILE", requires = "population_logits", help_heading = "Arrays")]
    population_labels: Option<PathBuf>,
    /// How membership was drawn: blocks:B, pairs (of shadows k and k + 1, or else k and k + half of all), exact
    /// or bernoulli [default: found out and printed]
    #[arg(long, value_name = "HOW", help_heading = "Statistics")]
    design: Option<String>,
    /// Attacks: lira-online, lira-offline, rmia, base, global [default: all, rmia if there is a population]
    #[arg(long = "attack", value_name = "NAMES", value_delimiter = ',', help_heading = "Statistics")]
    attacks: Vec<String>,
    /// Spread of the references: per-record, pooled, shrunk or reference [default: shrunk]
    #[arg(long, value_name = "NAME", help_heading = "Statistics")]
    variance: Option<String>,
    /// Middle of the references: mean or median [default: mean]
    #[arg(long, value_name = "NAME", help_heading = "Statistics")]
    center: Option<String>,
    /// References of the two sides: equal, first or all [default: equal]
    #[arg(long, value_name = "NAME", help_heading = "Statistics")]
    counts: Option<String>,
    /// Take a record's queries as one vector with a full covariance (lira-online)
    #[arg(long, help_heading = "Statistics")]
    multivariate: bool,
    /// Use OUT references only: base, and rmia with its --rmia-a
    #[arg(long, help_heading = "Statistics")]
    offline: bool,
    /// Have rmia use OUT references only, and guess the IN mean from the OUT mean by this much, 0 to 1; base
    /// stays as it is [default: 0.3 with --offline, else rmia uses both sides]
    #[arg(long, value_name = "A", allow_hyphen_values = true, help_heading = "Statistics")]
    rmia_a: Option<f64>,
    /// How many times a population record's ratio a record's must be (rmia) [default: 1]
    #[arg(long, value_name = "GAMMA", allow_hyphen_values = true, help_heading = "Statistics")]
    gamma: Option<f64>,
    /// Temperature of the softmax of base [default: 2]
    #[arg(long, value_name = "T", allow_hyphen_values = true, help_heading = "Statistics")]
    temperature: Option<f64>,
    /// False discovery rate among the patients detected [default: 0.05]
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, help_heading = "Statistics")]
    fdr: Option<f64>,
    /// Planned looks at a growing audit; p values are multiplied by it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000),
        default_value_t = 1, help_heading = "Statistics")]
    looks: u32,
    /// Replicates of the bootstrap behind the intervals, 0 for none [default: 400]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000),
        help_heading = "Statistics")]
    bootstrap: Option<u32>,
    /// The delta of the lower bounds of epsilon, 0 to below 1 [default: 0.00001]
    #[arg(long, value_name = "DELTA", allow_hyphen_values = true, help_heading = "Statistics")]
    delta: Option<f64>,
    /// Root of the random numbers of bootstrap and permutations
    #[arg(long, value_name = "N", value_parser = whole_number, default_value_t = 0,
        help_heading = "Statistics")]
    seed: u64,
    /// Threads [default: the number of cores]; no figure depends on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Folder for scratch files [default: inside the output folder]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// The folder for the findings; it must be new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Computes the attacks.
///
/// # Errors
/// If arguments or arrays are wrong, something cannot be read or written, or it is interrupted.
pub async fn run(args: Args, out: Output, drain: Drain) -> Result<(), Failure> {
    let started = Instant::now();
    let mut wrong = Mistakes::default();
    let options = Options::check(&args.settings(), &mut wrong);
    let arrays = Arrays::open(&args.paths(), &mut wrong);
    if let Some(scratch) = args.scratch.as_ref().filter(|scratch| !scratch.is_dir()) {
        wrong.push(format!("--scratch: {} is not a folder; name one that exists", scratch.display()));
    }
    wrong.finish()?;
    let arrays = arrays.expect("without a mistake there are arrays");
    let place = Place::take(&args.out)?;

    begin(&arrays, &args.out, &out)?;

    let stop = Arc::new(AtomicBool::new(false));
    let work = Work {
        options,
        draft: place.draft(),
        scratch: args.scratch.clone().unwrap_or_else(|| place.draft()),
        threads: args.threads.unwrap_or_else(host::cores) as usize,
        seed: args.seed,
        stop: stop.clone(),
    };
    let meter = Arc::new(Meter::start(&out));
    let shown = meter.clone();
    let mut computing = tokio::task::spawn_blocking(move || work.compute(&arrays, &shown));
    let done = tokio::select! {
        done = &mut computing => Some(done),
        () = drain.begun() => None,
    };
    let Some(done) = done else {
        stop.store(true, Ordering::Relaxed);
        // What it still writes goes with the folder; the process does not wait for it longer than this.
        let _ = tokio::time::timeout(WIND_UP, computing).await;
        meter.finish();
        return Err(Failure::interrupted("nothing was written; run the same command again"));
    };
    meter.finish();
    let found = done.map_err(|error| {
        Failure::failed(format!("the computation stopped: {error}; please report this"))
    })??;
    place.publish(&found.files)?;
    if out.format() == Format::Text {
        tell(&found);
        note(&format!("umbra: done in {}", human::duration(started.elapsed().as_secs_f64())));
    }
    let headlines = Headlines::read(&args.out)?;
    out.result(|| headlines.text(), || headlines.json(None))
}

fn whole_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

/// Says what is begun.
fn begin(arrays: &Arrays, folder: &Path, out: &Output) -> Result<(), Failure> {
    let Shape { shadows, records, queries, classes } = arrays.shape;
    if out.format() == Format::Json {
        let event = || json!({ "event": "started", "out": folder.display().to_string() });
        return out.result(String::new, event);
    }
    let queries = if queries == 1 { String::new() } else { format!(", {queries} queries each") };
    note(&format!(
        "umbra: {} on {}{queries}, {}; findings in {}",
        human::count(shadows as u64, "shadow"),
        human::count(records as u64, "record"),
        human::count(classes as u64, "logit"),
        folder.display()
    ));
    Ok(())
}

/// What a person should know besides the figures.
fn tell(found: &Found) {
    for line in &found.notes {
        note(&format!("umbra: {line}"));
    }
}

impl Args {
    fn paths(&self) -> Paths<'_> {
        Paths {
            logits: &self.logits,
            labels: &self.labels,
            membership: &self.membership,
            units: self.units.as_deref(),
            population: self.population_logits.as_deref().zip(self.population_labels.as_deref()),
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            design: self.design.clone(),
            attacks: self.attacks.clone(),
            variance: self.variance.clone(),
            center: self.center.clone(),
            counts: self.counts.clone(),
            multivariate: self.multivariate,
            offline: self.offline,
            rmia_a: self.rmia_a,
            gamma: self.gamma,
            temperature: self.temperature,
            fdr: self.fdr,
            looks: self.looks,
            bootstrap: self.bootstrap,
            delta: self.delta,
            has_population: self.population_logits.is_some(),
        }
    }
}
