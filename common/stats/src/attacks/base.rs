//! Base: how far the label's probability under the target exceeds its mean under the references
//! (Lassila et al. 2025, arXiv 2505.24089): ln p_t - ln ((mean_in + mean_out) / 2), mean over queries.
//!
//! Both sides count the same however many references each has. An unweighted mean would move with the side
//! that leaving the target out makes shorter, and tell the membership by that.

use super::likelihood::{Likelihood, Mixture};
use super::odds::Odds;
use super::{Attack, Work};
use crate::config::Config;
use crate::signal::View;

/// Score: the log ratio at a temperature, which is a softmax's (z / T) or a sigmoid's.
pub(crate) struct Base {
    mixture: Mixture,
    temperature: f64,
}

impl Base {
    pub fn new(config: &Config) -> Self {
        let mixture = if config.base_offline { Mixture::Outside { a: 1.0 } } else { Mixture::Halves };
        Self { mixture, temperature: config.temperature }
    }

    /// The log ratios of one query.
    fn query(&self, view: &View<'_>, query: usize, odds: &mut Odds, likelihood: &mut Likelihood) {
        odds.of(view, query, self.temperature);
        likelihood.set(odds.known(view));
        if likelihood.is_tiny() {
            let ln_p = odds.ln_probabilities(view);
            likelihood.form_of_logs(&ln_p, self.mixture);
        } else {
            likelihood.form(self.mixture);
        }
    }
}

impl Attack for Base {
    fn passes(&self) -> usize {
        0
    }

    fn width(&self, _: usize) -> usize {
        0
    }

    fn observe(&self, _: usize, _: &View<'_>, _: &mut Work, _: &mut [f64]) {}

    fn learn(&mut self, _: usize, _: &[f64]) {}

    fn score(&self, view: &View<'_>, work: &mut Work, scores: &mut [f64]) -> u64 {
        let (likelihood, odds) = (&mut work.likelihood, &mut work.odds);
        likelihood.begin(scores.len(), view.column);
        if view.queries == 1 {
            self.query(view, 0, odds, likelihood);
            scores.copy_from_slice(likelihood.ratios());
            return 0;
        }
        scores.fill(0.0);
        work.formed.clear();
        work.formed.resize(scores.len(), 0);
        for query in 0..view.queries {
            self.query(view, query, odds, likelihood);
            for ((score, n), &ratio) in scores.iter_mut().zip(&mut work.formed).zip(likelihood.ratios()) {
                if ratio.is_finite() {
                    *score += ratio;
                    *n += 1;
                }
            }
        }
        for (score, &n) in scores.iter_mut().zip(&work.formed) {
            *score = if n > 0 { *score / f64::from(n) } else { f64::NAN };
        }
        0
    }
}
