//! The computation, from arrays to files.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use umbra_coordinator::FileScratch;
use umbra_coordinator::report::{
    DesignWords, FindingsFiles, LabelNames, Numbered, Rows, SourceRows, Tables, write_summary,
};
use umbra_core::seed::Seed;
use umbra_stats::{
    AttackKind, Design, Inputs, Labels, Population, Shape, StatsError, analyse_into, find_lost,
};

use super::arrays::Arrays;
use super::labels::OwnedLabels;
use super::logits::NpyLogits;
use super::membership::Packed;
use super::meter::Meter;
use super::options::Options;
use super::units::Units;
use super::unread::Unread;
use crate::exit::Failure;

/// What is to be done with the arrays.
#[derive(Debug)]
pub struct Work {
    /// What is computed.
    pub options: Options,
    /// The folder that files are written to.
    pub draft: PathBuf,
    /// The folder for scratch files.
    pub scratch: PathBuf,
    /// Threads to compute with.
    pub threads: usize,
    /// The root of the random numbers.
    pub seed: u64,
    /// Whether it is to stop.
    pub stop: Arc<AtomicBool>,
}

/// What was found, but for the figures, which are in the files.
#[derive(Debug)]
pub struct Found {
    /// What a person should know, a sentence each.
    pub notes: Vec<String>,
    /// The names of the files.
    pub files: Vec<String>,
}

impl Work {
    /// Reads the arrays, computes, and writes the files into the draft folder.
    ///
    /// # Errors
    /// If values in the arrays are wrong, or something cannot be read or written.
    pub fn compute(&self, arrays: &Arrays, meter: &Meter) -> Result<Found, Failure> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
        let pool = pool.map_err(|error| {
            Failure::failed(format!(
                "cannot start {} threads: {error}; give fewer with --threads",
                self.threads
            ))
        })?;
        pool.install(|| self.computed(arrays, meter))
    }

    fn computed(&self, arrays: &Arrays, meter: &Meter) -> Result<Found, Failure> {
        let shape = arrays.shape;
        meter.show("reading units, labels and membership", 0.0);
        let units = match &arrays.units {
            Some(file) => Units::read(file, &self.scratch)?,
            None => Units::of_rows(shape.records, &self.scratch)?,
        };
        let labels = OwnedLabels::read(&arrays.labels, &shape, &self.scratch)?;
        let membership = Packed::read(&arrays.membership, &shape, &units, &self.scratch)?;
        let logits = NpyLogits::new(&arrays.logits, shape);
        let lost = find_lost(&logits).map_err(|error| self.refused(&error))?;
        if lost.len() == shape.shadows {
            let what = "it holds no finite number; save the logits that the shadows gave";
            return Err(Unread::from(arrays.logits.wrong(what)).into());
        }
        let population = match &arrays.population {
            Some((logits, labels)) => {
                let shape = Shape { records: logits.shape()[1], ..shape };
                Some((NpyLogits::new(logits, shape), OwnedLabels::read(labels, &shape, &self.scratch)?))
            }
            None => None,
        };
        let mut notes = Vec::new();
        let found = Design::detect(&membership.view());
        if let Some(named) = &self.options.design {
            named.check(&membership.view()).map_err(|error| misnamed(named, &error, &found.design))?;
        }
        let design = self.options.design.clone().unwrap_or(found.design.clone());
        let explanation = if design == found.design {
            found.explanation
        } else {
            format!("as named; the membership looks like {}: {}", found.design, found.explanation)
        };
        let name = design.to_string();
        let block = design.block().and_then(|size| u32::try_from(size).ok());
        notes.push(format!("design {name}: {explanation}"));
        notes.extend(found.warnings.iter().map(|warning| format!("warning: {warning}")));
        let words = DesignWords { name, block, explanation, warnings: found.warnings };
        if !lost.is_empty() {
            let numbers: Vec<String> = lost.iter().map(u32::to_string).collect();
            notes.push(format!(
                "warning: {} of {} shadows gave no finite logit and are left out (number {}); if the reason has to \
                 do with what they were trained on, no p value holds",
                lost.len(),
                shape.shadows,
                numbers.join(", ")
            ));
        }
        let design = design.with_lost(lost.iter().copied());
        let rmia = self.options.config.attacks.contains(&AttackKind::Rmia);
        if let Some(a) = self.options.config.rmia_a.filter(|_| rmia) {
            notes.push(format!("rmia runs offline with a = {a}"));
        }

        let seed = Seed::new(self.seed);
        let inputs = Inputs {
            source: &logits,
            labels: labels.view(),
            units: &units.of_record,
            membership: membership.view(),
            design: &design,
            population: population
                .as_ref()
                .map(|(source, labels)| Population { source, labels: labels.view() }),
            attributes: &[],
            seed: &seed,
        };
        let classes = Numbered(shape.classes.max(2));
        let rows = Rows {
            source_rows: SourceRows::InOrder(shape.records),
            unit_names: &units,
            labels: match labels.view() {
                Labels::Class(_) => LabelNames::Classes(&classes),
                Labels::Multi(labels) => LabelNames::Several(labels, shape.classes),
            },
            attributes: &[],
        };
        let mut sink = FindingsFiles::create(&self.draft, shape.shadows, rows).map_err(failed)?;
        let scratch = FileScratch::new(&self.scratch);
        let progress = |share: f64| {
            meter.show("computing", share);
            if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let analysis = analyse_into(&inputs, &self.options.config, &progress, &mut sink, &scratch)
            .map_err(|error| self.refused(&error))?;
        meter.show("writing", 1.0);
        let tables = Tables {
            rows,
            shadows: shape.shadows as u32,
            design: words,
            lost: &lost,
            config: &self.options.config,
            dataset: None,
        };
        let (mut files, _) = sink.finish().map_err(failed)?;
        files.push(write_summary(&self.draft, &tables, &analysis).map_err(failed)?);
        Ok(Found { notes, files: files.into_iter().map(|file| file.name).collect() })
    }

    /// Tells mistakes of what was given from failures on the way.
    fn refused(&self, error: &StatsError) -> Failure {
        if self.stop.load(Ordering::Relaxed) {
            return Failure::interrupted("nothing was written; run the same command again");
        }
        match error {
            StatsError::Inputs(_) | StatsError::Config(_) => Failure::usage(error.to_string()),
            _ => Failure::failed(error.to_string()),
        }
    }
}

/// A design was named that the membership does not follow.
fn misnamed(named: &Design, error: &StatsError, found: &Design) -> Failure {
    Failure::usage(format!("--design {named}: {error} (it looks like {found}), or leave --design out"))
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::failed(error.to_string())
}
