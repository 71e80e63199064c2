//! What a coordinator bears on this machine, with figures and bounds: ends with 1 if a bound is missed.
//!
//!     cargo build --release -p umbra
//!     cargo run --release -p umbra-tests --example scale -- fleet [SECONDS [WORKERS [PACKS]]]
//!     cargo run --release -p umbra-tests --example scale -- ingest [ROUNDS]
//!     cargo run --release -p umbra-tests --example scale -- overhead [ROUNDS]
//!
//! `fleet` has stub workers work off an endless queue of packs, over the embedded meta store and, where `UMBRA_ETCD`
//! names the program, over a node of etcd; `ingest` compares how fast logits come in with a bare copy over the same
//! gRPC stack; `overhead` compares the example audit with the same training in a bare loop.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "it is what it is for"
)]

mod fleet;
mod ingest;
mod overhead;
mod stub;

use std::process::ExitCode;

/// A figure with its bound.
pub struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    /// The bound; at most, or at least.
    bound: Option<Bound>,
}

/// Which side of a bound is good.
#[derive(Clone, Copy)]
pub enum Bound {
    /// More is too much.
    Most(f64),
    /// Less is too little.
    Least(f64),
}

impl Figure {
    /// A figure without a bound.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, bound: None }
    }

    /// The same with a bound.
    pub fn within(self, bound: Bound) -> Self {
        Self { bound: Some(bound), ..self }
    }

    /// Prints it, and says whether it is within its bound.
    fn show(&self) -> bool {
        let (words, good) = match self.bound {
            None => (String::new(), true),
            Some(Bound::Most(most)) => (format!("  (at most {most} {})", self.unit), self.value <= most),
            Some(Bound::Least(least)) => (format!("  (at least {least} {})", self.unit), self.value >= least),
        };
        let mark = if good { "" } else { "  MISSED" };
        println!("{:<52} {:>12.3} {}{words}{mark}", self.name, self.value, self.unit);
        good
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| {
        arguments.get(index).map_or(default, |text| text.replace('_', "").parse().expect("a number"))
    };
    let figures = match arguments.first().map(String::as_str) {
        Some("fleet") => fleet::run(number(1, 60), number(2, 1_000), number(3, 100_000)),
        Some("ingest") => ingest::run(number(1, 5)),
        Some("overhead") => overhead::run(number(1, 5)),
        _ => {
            eprintln!("scale: name one of fleet, ingest, overhead");
            return ExitCode::from(2);
        }
    };
    let missed = figures.iter().filter(|figure| !figure.show()).count();
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
