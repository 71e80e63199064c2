//! One history: hosts, and what happens to them, drawn from a seed.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use turmoil::{Builder, Sim};
use umbra_core::seed::{Purpose, Seed, Stream};
use umbra_data::{Imported, Schema, import};
use umbra_runtime::blobs::BlobStore;

use crate::client::{self, Findings};
use crate::stage::{COORDINATORS, WORKERS, coordinate, folder, labour, worker_host};
use crate::store::Engine;

/// From then on nothing happens any more.
const CALM: Duration = Duration::from_secs(60);

/// By then everything must be over.
const END: Duration = Duration::from_secs(600);

/// Where a history ended.
pub struct Played {
    pub findings: Findings,
    /// What was done, in order.
    pub faults: Vec<String>,
    /// Simulated time.
    pub took: Duration,
    /// Terms of leadership.
    pub terms: u64,
    /// Transactions that were checked.
    pub transactions: u64,
}

/// What may happen.
#[derive(Debug, Clone)]
enum Fault {
    /// Hosts crash and come back after a while.
    Crash(String),
    /// Two hosts do not hear each other for a while.
    Partition(String, String),
    /// What two hosts say to each other arrives late, all at once.
    Delay(String, String),
    /// A coordinator cannot reach the meta store for a while.
    CutStore(String),
}

/// What ends a fault.
type Repair = Box<dyn FnOnce(&mut Sim<'_>, &Engine)>;

fn people(root: &Path) -> Imported {
    let mut table = String::from("id,x,group,label\n");
    for i in 0..300 {
        table += &format!("p{i},{}.5,{},{}\n", i * 37 % 101, ["a", "b"][i % 2], i % 3 % 2);
    }
    let path = root.join("people.csv");
    std::fs::write(&path, table).expect("the folder can be written");
    let schema = "kind = \"table\"\nlabel = \"label\"\nunit = \"id\"\ngroups = [\"group\"]\n";
    import(&path, &Schema::parse(schema, "schema.toml").expect("it is one")).expect("the table is good")
}

/// Plays the history of a seed; without faults if it is to be undisturbed.
///
/// # Errors
/// What went wrong, in words.
pub fn play(seed: u64, disturbed: bool) -> Result<Played, String> {
    let root = tempfile::tempdir().map_err(|error| error.to_string())?;
    let people = Rc::new(people(root.path()));
    let stream = |purpose| Seed::new(seed).stream(Purpose::Simulation, &[0, purpose]);
    let engine = Engine::new(stream(1));
    let blobs = BlobStore::memory();
    let mut sim = Builder::new()
        .rng_seed(seed)
        .simulation_duration(END)
        .tick_duration(Duration::from_millis(10))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(100))
        .tcp_capacity(4096)
        .build();
    for host in COORDINATORS {
        let (engine, blobs, scratch) = (engine.clone(), blobs.clone(), folder(root.path(), host));
        sim.host(host, move || coordinate(host, engine.clone(), blobs.clone(), scratch.clone()));
    }
    for number in 0..WORKERS {
        let (host, life) = (worker_host(number), Arc::new(std::sync::atomic::AtomicU64::new(0)));
        let scratch = folder(root.path(), &host);
        sim.host(host, move || {
            let life = life.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            labour(number, life, seed, scratch.clone())
        });
    }
    let found = Rc::new(RefCell::new(None));
    let (audited, data) = (found.clone(), people.clone());
    let done = Rc::new(Cell::new(false));
    let over = done.clone();
    sim.client("client", async move {
        *audited.borrow_mut() = Some(client::audit(&data).await?);
        over.set(true);
        Ok(())
    });
    let mut history = History { chance: stream(2), repairs: Vec::new(), faults: Vec::new() };
    let mut next = history.wait();
    engine.state().lost_answers = if disturbed { 10 } else { 0 };
    while !done.get() {
        sim.step()
            .map_err(|error| format!("after {:?}: {error}; so far: {:#?}", sim.elapsed(), history.faults))?;
        let now = sim.elapsed();
        if let Some(broken) = engine.state().rules.broken.first() {
            return Err(format!("after {now:?}: {broken}; so far: {:#?}", history.faults));
        }
        history.repair(&mut sim, &engine, now);
        if disturbed && now < CALM && now >= next {
            history.strike(&mut sim, &engine, now);
            next = now + history.wait();
        }
    }
    let state = engine.state();
    Ok(Played {
        findings: found.borrow_mut().take().expect("the client is done"),
        faults: history.faults,
        took: sim.elapsed(),
        terms: state.terms,
        transactions: state.rules.seen,
    })
}

struct History {
    chance: Stream,
    /// When which fault ends.
    repairs: Vec<(Duration, Repair)>,
    faults: Vec<String>,
}

impl History {
    /// How long until the next fault.
    fn wait(&mut self) -> Duration {
        Duration::from_millis(500 + self.chance.below(3_500))
    }

    fn host(&mut self) -> String {
        let number = self.chance.below((COORDINATORS.len() + WORKERS) as u64) as usize;
        COORDINATORS.get(number).map_or_else(|| worker_host(number - COORDINATORS.len()), ToString::to_string)
    }

    fn coordinator(&mut self) -> String {
        COORDINATORS[self.chance.below(COORDINATORS.len() as u64) as usize].to_owned()
    }

    fn draw(&mut self) -> Fault {
        match self.chance.below(5) {
            0 => Fault::Crash(self.coordinator()),
            1 => Fault::Crash(self.host()),
            2 => Fault::Partition(self.coordinator(), self.host()),
            3 => Fault::Delay(self.coordinator(), self.host()),
            _ => Fault::CutStore(self.coordinator()),
        }
    }

    /// Has something happen, for 1 to 12 seconds.
    fn strike(&mut self, sim: &mut Sim<'_>, engine: &Engine, now: Duration) {
        let fault = self.draw();
        let lasts = Duration::from_millis(1_000 + self.chance.below(11_000));
        let repair: Repair = match fault.clone() {
            Fault::Crash(host) if !sim.is_host_running(host.as_str()) => return,
            Fault::Partition(a, b) | Fault::Delay(a, b) if a == b => return,
            Fault::Crash(host) => {
                sim.crash(host.as_str());
                Box::new(move |sim, _| sim.bounce(host.as_str()))
            }
            Fault::Partition(a, b) => {
                sim.partition(a.as_str(), b.as_str());
                Box::new(move |sim, _| sim.repair(a.as_str(), b.as_str()))
            }
            Fault::Delay(a, b) => {
                sim.hold(a.as_str(), b.as_str());
                Box::new(move |sim, _| sim.release(a.as_str(), b.as_str()))
            }
            Fault::CutStore(host) => {
                engine.state().cut.insert(host.clone());
                Box::new(move |_, engine| {
                    engine.state().cut.remove(&host);
                })
            }
        };
        self.faults.push(format!("{:.1} s: {fault:?} for {:.1} s", now.as_secs_f64(), lasts.as_secs_f64()));
        self.repairs.push((now + lasts, repair));
    }

    fn repair(&mut self, sim: &mut Sim<'_>, engine: &Engine, now: Duration) {
        while let Some(at) = self.repairs.iter().position(|(until, _)| *until <= now) {
            let (_, repair) = self.repairs.remove(at);
            repair(sim, engine);
        }
    }
}
