//! The log odds of a record's labels at a temperature, query by query.

use super::tiny;
use crate::labels::Label;
use crate::log_odds::{Scratch, log_odds};
use crate::signal::View;
use crate::source::Values;

/// Log odds `[label][shadow]` of one query; a buffer.
#[derive(Default)]
pub(crate) struct Odds {
    values: Vec<f64>,
    scratch: Scratch,
}

impl Odds {
    /// Takes a query: sigmoids and two classes have the odds phi / T; more classes are asked for their
    /// logits again.
    pub fn of(&mut self, view: &View<'_>, query: usize, temperature: f64) {
        let shadows = view.mean.len();
        let per_query = view.labels * shadows;
        let signals = &view.signals[query * per_query..(query + 1) * per_query];
        self.values.clear();
        self.values.extend_from_slice(signals);
        if temperature == 1.0 {
            return;
        }
        let values = view.logits.values;
        let classes = values.len() / (view.queries * shadows);
        let at = query * classes * shadows..(query + 1) * classes * shadows;
        match (view.logits.label, values) {
            (Label::Class(class), Values::F32(logits)) if classes > 2 => {
                log_odds(&logits[at], shadows, class, temperature, &mut self.scratch, &mut self.values);
            }
            (Label::Class(class), Values::F64(logits)) if classes > 2 => {
                log_odds(&logits[at], shadows, class, temperature, &mut self.scratch, &mut self.values);
            }
            _ => self.values.iter_mut().for_each(|odds| *odds /= temperature),
        }
        // What has no signal, such as a lost shadow, has no odds.
        for (odds, signal) in self.values.iter_mut().zip(signals) {
            *odds = if signal.is_finite() { *odds } else { f64::NAN };
        }
    }

    /// The log odds of each known label, per shadow.
    pub fn known<'a>(&'a self, view: &'a View<'_>) -> impl Iterator<Item = &'a [f64]> + Clone {
        self.values
            .chunks_exact(view.mean.len())
            .zip(view.present)
            .filter(|(_, present)| **present)
            .map(|(odds, _)| odds)
    }

    /// ln of the probability that all known labels come out right, per shadow; NaN where one is absent or
    /// none is known.
    pub fn ln_probabilities(&self, view: &View<'_>) -> Vec<f64> {
        let of = |shadow: usize| self.known(view).map(|odds| tiny::ln_sigmoid(odds[shadow])).sum();
        let any = view.present.contains(&true);
        (0..view.mean.len()).map(|shadow| if any { of(shadow) } else { f64::NAN }).collect()
    }
}
