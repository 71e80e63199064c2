//! The test of one patient.

use std::sync::Arc;

use crate::anytime;
use crate::design::Design;
use crate::epsilon::{Hits, Thresholds};
use crate::error::StatsError;
use crate::layout::Layout;
use crate::nulls::Null;
use crate::patient::forward::Forward;
use crate::rank_test::{Comparison, Tables, Verdict};

/// What the tests of all patients share.
#[derive(Debug)]
pub(crate) struct Exam {
    pub layout: Layout,
    pub tables: Tables,
    /// Only patients with a p value this small can be detected; only they get thresholds.
    pub level: f64,
}

/// What is known about one patient.
#[derive(Debug, Clone)]
pub(crate) struct Tested {
    pub auc: f64,
    /// p value, and that of the opposite tail.
    pub upper: f64,
    pub lower: f64,
    /// ln of the e-value.
    pub ln_e: f64,
    /// The smaller of the IN and OUT counts.
    pub n: u32,
    pub hits: Hits,
    pub null: Arc<Null>,
}

/// Tests patients; owns the buffers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Examiner {
    forward: Forward,
    /// The comparison that the p value comes from, and the one by groups where that is another.
    pub comparison: Comparison,
    by_group: Comparison,
    thresholds: Thresholds,
}

impl Examiner {
    /// Compares the signals of one record.
    pub fn compare(&mut self, signals: &[f64], column: &[u64], exam: &Exam) {
        self.comparison.of(signals, column, &exam.layout, &exam.layout.whole);
    }

    /// Tests a patient with one record, whose signals [`Self::compare`] has just compared. `None` if there
    /// is nothing to compare.
    pub fn one(&mut self, signals: &[f64], column: &[u64], exam: &Exam) -> Option<Tested> {
        let Exam { layout, tables, .. } = exam;
        let verdict = self.comparison.verdict(signals, column, &layout.whole, tables)?;
        let mut ln_e = verdict.ln_e;
        if layout.parts != layout.whole {
            // Evidence to be looked at any time grows group by group.
            self.by_group.of(signals, column, layout, &layout.parts);
            let by_group = self.by_group.verdict(signals, column, &layout.parts, tables);
            ln_e = by_group.map_or(0.0, |verdict| verdict.ln_e);
        }
        Some(tested(
            &self.comparison,
            &mut self.thresholds,
            Verdict { ln_e, ..verdict },
            signals,
            column,
            exam,
        ))
    }

    /// Tests a patient with several records, `signals` `[record][shadow]`.
    pub fn several(&mut self, signals: &[f64], column: &[u64], exam: &Exam) -> Option<Tested> {
        let Exam { layout, tables, .. } = exam;
        let scores = self.forward.scores(signals, column, layout);
        self.comparison.of(scores, column, layout, &layout.parts);
        let verdict = self.comparison.verdict(scores, column, &layout.parts, tables)?;
        Some(tested(&self.comparison, &mut self.thresholds, verdict, scores, column, exam))
    }
}

/// What the comparison of a patient's numbers comes to.
fn tested(
    comparison: &Comparison,
    thresholds: &mut Thresholds,
    verdict: Verdict,
    values: &[f64],
    column: &[u64],
    exam: &Exam,
) -> Tested {
    let (inside, outside) = comparison.counts();
    let hits = match verdict.upper <= exam.level {
        true => thresholds.hits(values, column, &exam.layout.groups),
        false => Hits::default(),
    };
    Tested {
        auc: comparison.auc(),
        upper: verdict.upper,
        lower: verdict.lower,
        ln_e: verdict.ln_e,
        n: inside.min(outside),
        hits,
        null: verdict.null,
    }
}

/// The exact test of single patients, for callers who have signals at hand; [`crate::analyse`] runs it on
/// everybody.
#[derive(Debug)]
pub struct PatientTester {
    exam: Exam,
    lost: Vec<bool>,
    examiner: Examiner,
    signals: Vec<f64>,
}

/// What the test says of a patient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PatientTest {
    /// Stratified AUC of the patient's number, IN against OUT shadows.
    pub auc: f64,
    /// Exact one-sided p value of "the signals do not depend on membership".
    pub p: f64,
    /// The p value of the opposite tail.
    pub mirror: f64,
    /// The e-value: under the null its mean is 1 at any time.
    pub e: f64,
}

impl PatientTester {
    /// A tester for `shadows` shadows of a design; those of pairs are neighbours.
    ///
    /// # Errors
    /// If the shadows do not fit the design.
    pub fn new(design: &Design, shadows: usize) -> Result<Self, StatsError> {
        let blocks = design.resolve(shadows)?;
        Ok(Self {
            exam: Exam { layout: Layout::new(&blocks), tables: Tables::default(), level: 0.0 },
            lost: blocks.lost,
            examiner: Examiner::default(),
            signals: Vec::new(),
        })
    }

    /// Tests a patient: `signals` `[record][shadow]`, one record or several (absent: not finite; those of
    /// lost shadows are not looked at), and the packed membership bits of its shadows, as in
    /// [`crate::Membership::column`]. `None` if there is nothing to compare.
    ///
    /// # Panics
    /// If the signals are not whole records, or the column is too short.
    pub fn test(&mut self, signals: &[f64], column: &[u64]) -> Option<PatientTest> {
        let shadows = self.exam.layout.shadows;
        assert!(signals.len().is_multiple_of(shadows), "signals are [record][shadow]");
        self.signals.clear();
        for row in signals.chunks_exact(shadows) {
            self.signals
                .extend(row.iter().zip(&self.lost).map(|(&x, &lost)| if lost { f64::NAN } else { x }));
        }
        let tested = if self.signals.len() == shadows {
            self.examiner.compare(&self.signals, column, &self.exam);
            self.examiner.one(&self.signals, column, &self.exam)
        } else {
            self.examiner.several(&self.signals, column, &self.exam)
        }?;
        Some(PatientTest {
            auc: tested.auc,
            p: tested.upper,
            mirror: tested.lower,
            e: anytime::from_ln(tested.ln_e),
        })
    }
}
