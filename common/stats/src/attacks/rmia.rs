//! The robust membership-inference attack (Zarifzadeh et al. 2024, arXiv 2312.03262, equations 4 to 12).
//!
//! The score of x is the share of population records z with (p_t(x) / p(x)) / (p_t(z) / p(z)) > gamma, where
//! p_t is the probability of the true label under the target, averaged over queries, and p that under
//! any model, formed from the references. Nobody was trained on z: all its references are OUT.

use rayon::prelude::*;

use super::likelihood::{Likelihood, Mixture};
use super::odds::Odds;
use super::shares::Shares;
use super::{Attack, Work, tiny};
use crate::config::Config;
use crate::error::{SourceError, StatsError};
use crate::inputs::{Checked, Population};
use crate::signal::{Extractor, View};
use crate::source::Tile;

/// Ratios of the population that are kept, over all targets: 32 MiB. A larger population is thinned to
/// records evenly spaced. That leaves 32,768 records at 128 shadows: a score's steps are far below its
/// noise.
const KEPT: usize = 1 << 22;

/// Logits of the population read at once.
const READ: usize = 1 << 18;

/// The log ratios of the population, and how to compare with them.
pub(crate) struct Rmia {
    mixture: Mixture,
    ln_gamma: f64,
    /// Per target the log ratios of the population records that have one.
    population: Vec<Shares>,
}

impl Rmia {
    /// Reads the population.
    ///
    /// # Errors
    /// Without a population, or if it cannot be read.
    pub fn new(config: &Config, checked: &Checked<'_>) -> Result<Self, StatsError> {
        let Some(population) = &checked.population else {
            return Err(StatsError::Inputs(
                "attack 'rmia' compares with records that no shadow was trained on; give such a population, or \
                 leave the attack out"
                    .to_owned(),
            ));
        };
        // The mean over all references is the mean OUT of a record that nobody was trained on.
        let (mixture, all) = match config.rmia_a {
            Some(a) => (Mixture::Outside { a }, Mixture::Outside { a }),
            None => (Mixture::Halves, Mixture::Outside { a: 1.0 }),
        };
        let ratios = population_ratios(population, checked, all)?;
        let population = ratios.into_par_iter().map(Shares::new).collect();
        Ok(Self { mixture, ln_gamma: libm::log(config.gamma), population })
    }
}

/// Forms the log ratios of a record: of the probability averaged over queries.
fn form(view: &View<'_>, mixture: Mixture, odds: &mut Odds, likelihood: &mut Likelihood) {
    likelihood.begin(view.mean.len(), view.column);
    for query in 0..view.queries {
        odds.of(view, query, 1.0);
        likelihood.set(odds.known(view));
        if view.queries > 1 {
            likelihood.add();
        }
    }
    if view.queries > 1 {
        likelihood.average();
    }
    if !likelihood.is_tiny() {
        return likelihood.form(mixture);
    }
    let queries: Vec<Vec<f64>> = (0..view.queries)
        .map(|query| {
            odds.of(view, query, 1.0);
            odds.ln_probabilities(view)
        })
        .collect();
    let over_queries = |shadow: usize| {
        tiny::ln_mean(queries.iter().map(move |ln_p| ln_p[shadow]).filter(|ln_p| ln_p.is_finite()))
    };
    let ln_p: Vec<f64> = (0..view.mean.len()).map(over_queries).collect();
    likelihood.form_of_logs(&ln_p, mixture);
}

/// The finite log ratios of the population's records, per target, in record order.
fn population_ratios(
    population: &Population<'_>,
    checked: &Checked<'_>,
    mixture: Mixture,
) -> Result<Vec<Vec<f64>>, StatsError> {
    let shape = population.source.shape();
    let every = (shape.records * shape.shadows).div_ceil(KEPT).max(1);
    let step = (READ / shape.per_record()).max(1);
    let mut ratios = vec![Vec::new(); shape.shadows];
    let mut extractor = Extractor::of_population(shape, population.labels, &checked.blocks.lost);
    let (mut tile, mut odds, mut likelihood) = (Tile::new(), Odds::default(), Likelihood::default());
    for start in (0..shape.records).step_by(step) {
        let end = (start + step).min(shape.records);
        let failed = |source| StatsError::Population { start, end, source };
        population.source.read(start..end, &mut tile).map_err(failed)?;
        let (found, expected) = (tile.values().len(), (end - start) * shape.per_record());
        if found != expected {
            let sentence = format!("the source gave {found} logits for a tile of {expected}");
            return Err(failed(SourceError::new(sentence)));
        }
        tile.sort(checked.order, &shape);
        for record in (start..end).filter(|record| record.is_multiple_of(every)) {
            let view = extractor.view(tile.values(), record - start, record);
            form(&view, mixture, &mut odds, &mut likelihood);
            for (ratios, &ratio) in ratios.iter_mut().zip(likelihood.ratios()) {
                if ratio.is_finite() {
                    ratios.push(ratio);
                }
            }
        }
    }
    Ok(ratios)
}

impl Attack for Rmia {
    fn passes(&self) -> usize {
        0
    }

    fn width(&self, _: usize) -> usize {
        0
    }

    fn observe(&self, _: usize, _: &View<'_>, _: &mut Work, _: &mut [f64]) {}

    fn learn(&mut self, _: usize, _: &[f64]) {}

    /// Leaves, for [`Attack::finish`], what the log ratio of a population record has to be below.
    fn score(&self, view: &View<'_>, work: &mut Work, scores: &mut [f64]) -> u64 {
        form(view, self.mixture, &mut work.odds, &mut work.likelihood);
        let formed = work.likelihood.ratios().iter().zip(work.likelihood.slack());
        for (score, (ratio, slack)) in scores.iter_mut().zip(formed) {
            *score = ratio - self.ln_gamma - slack;
        }
        0
    }

    fn finish(&self, target: usize, scores: &mut [f64]) {
        self.population[target].below(scores);
    }
}

#[cfg(test)]
mod tests {
    use umbra_core::seed::Seed;

    use super::*;
    use crate::config::AttackKind;
    use crate::design::Design;
    use crate::labels::Labels;
    use crate::membership::MembershipMatrix;
    use crate::sink::MemoryScores;
    use crate::source::{MemoryLogits, Shape, TileSource};
    use crate::{Inputs, MemoryScratch, Subset, analyse_into};

    /// Scores `[shadow]` of one record, of which shadows 1 and 2 (or none) are IN, with itself as the only
    /// population record; beside it lies another record.
    fn own_population(config: &Config, trained: bool) -> Vec<f64> {
        let logits = [0.3, -1.7, 2.2, 0.9, -0.4];
        let shape = Shape { shadows: 5, records: 2, queries: 1, classes: 1 };
        let source = MemoryLogits::from_fn(shape, |s, r, _, _| if r == 0 { logits[s] } else { 0.1 });
        let membership =
            MembershipMatrix::from_fn(5, 2, |s, unit| trained && unit == 0 && (s == 1 || s == 2));
        let itself = Subset::try_new(&source, &[0]).unwrap();
        let inputs = Inputs {
            source: &source,
            labels: Labels::Class(&[1, 0]),
            units: &[0, 1],
            membership: membership.view(),
            design: &Design::bernoulli(),
            population: Some(Population { source: &itself, labels: Labels::Class(&[1]) }),
            attributes: &[],
            seed: &Seed::new(1),
        };
        let mut scores = MemoryScores::new(5, 2);
        let go = |_: f64| std::ops::ControlFlow::Continue(());
        analyse_into(&inputs, config, &go, &mut scores, &MemoryScratch).unwrap();
        assert_eq!(itself.shape().records, 1);
        scores.of(AttackKind::Rmia).unwrap().iter().step_by(2).copied().collect()
    }

    /// A record that is its own population is no likelier than itself, and likelier than any smaller share
    /// of itself. Online this holds where the references are half IN and half OUT: for shadow 0.
    #[test]
    fn a_record_scores_as_itself() {
        for (offline, trained, targets) in [(true, false, 0..5), (false, true, 0..1)] {
            for (gamma, score) in [(1.0, 0.0), (1.0 - 1e-9, 1.0), (1.0 + 1e-9, 0.0)] {
                let config = Config {
                    attacks: vec![AttackKind::Rmia],
                    bootstrap: 0,
                    calibrated: false,
                    rmia_a: offline.then_some(Config::RMIA_A),
                    gamma,
                    ..Config::default()
                };
                let found = own_population(&config, trained);
                assert!(targets.clone().all(|t| found[t] == score), "{found:?}, gamma {gamma}");
            }
        }
    }
}
