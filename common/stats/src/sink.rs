//! Where findings go while they are made.

use std::ops::Range;

use crate::analysis::{PatientTable, RecordTable};
use crate::config::AttackKind;
use crate::error::SourceError;

/// Takes what an analysis finds, piece by piece: on the caller's thread, but for the patients, which come on any one.
/// Everything has a default that keeps nothing.
pub trait Sink: Send {
    /// Takes the scores `[shadow][record of the tile]` of one attack; absent scores are NaN. Per attack the
    /// tiles come in ascending record order, no record twice.
    ///
    /// # Errors
    /// If the scores cannot be kept; the analysis stops with that error.
    fn scores(
        &mut self,
        _attack: AttackKind,
        _records: Range<usize>,
        _scores: &[f64],
    ) -> Result<(), SourceError> {
        Ok(())
    }

    /// Takes rows of the record table, in record order; `first` is the record of the first row.
    ///
    /// # Errors
    /// If the rows cannot be kept; the analysis stops with that error.
    fn records(&mut self, _first: usize, _rows: &RecordTable) -> Result<(), SourceError> {
        Ok(())
    }

    /// Takes rows of the patient table, in unit order; `first` is the unit of the first row.
    ///
    /// # Errors
    /// If the rows cannot be kept; the analysis stops with that error.
    fn patients(&mut self, _first: usize, _rows: &PatientTable) -> Result<(), SourceError> {
        Ok(())
    }
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl Sink for NoSink {}

/// Keeps the rows of the tables in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryTables {
    /// One row per record, in record order.
    pub records: RecordTable,
    /// One row per unit, in unit order.
    pub patients: PatientTable,
}

impl Sink for MemoryTables {
    fn records(&mut self, _: usize, rows: &RecordTable) -> Result<(), SourceError> {
        self.records.extend(rows, 0..rows.len());
        Ok(())
    }

    fn patients(&mut self, _: usize, rows: &PatientTable) -> Result<(), SourceError> {
        self.patients.extend(rows);
        Ok(())
    }
}

impl RecordTable {
    /// Rows.
    pub fn len(&self) -> usize {
        self.unit.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.unit.is_empty()
    }

    /// Appends some rows of another table.
    ///
    /// # Panics
    /// If the other table has no such rows.
    pub fn extend(&mut self, other: &RecordTable, rows: Range<usize>) {
        let Self {
            unit,
            label,
            auc,
            binormal_auc,
            mean_in,
            mean_out,
            sd_in,
            sd_out,
            n_in,
            n_out,
            extrapolated_tpr,
        } = self;
        unit.extend_from_slice(&other.unit[rows.clone()]);
        label.extend_from_slice(&other.label[rows.clone()]);
        auc.extend_from_slice(&other.auc[rows.clone()]);
        binormal_auc.extend_from_slice(&other.binormal_auc[rows.clone()]);
        mean_in.extend_from_slice(&other.mean_in[rows.clone()]);
        mean_out.extend_from_slice(&other.mean_out[rows.clone()]);
        sd_in.extend_from_slice(&other.sd_in[rows.clone()]);
        sd_out.extend_from_slice(&other.sd_out[rows.clone()]);
        n_in.extend_from_slice(&other.n_in[rows.clone()]);
        n_out.extend_from_slice(&other.n_out[rows.clone()]);
        for (column, more) in extrapolated_tpr.iter_mut().zip(&other.extrapolated_tpr) {
            column.extend_from_slice(&more[rows.clone()]);
        }
    }
}

impl PatientTable {
    /// Rows.
    pub fn len(&self) -> usize {
        self.unit.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.unit.is_empty()
    }

    /// Appends the rows of another table.
    pub fn extend(&mut self, other: &PatientTable) {
        let Self { unit, records, auc, binormal_auc, p, q, detected, auc_lower, e, epsilon_lower } = self;
        unit.extend_from_slice(&other.unit);
        records.extend_from_slice(&other.records);
        auc.extend_from_slice(&other.auc);
        binormal_auc.extend_from_slice(&other.binormal_auc);
        p.extend_from_slice(&other.p);
        q.extend_from_slice(&other.q);
        detected.extend_from_slice(&other.detected);
        auc_lower.extend_from_slice(&other.auc_lower);
        e.extend_from_slice(&other.e);
        epsilon_lower.extend_from_slice(&other.epsilon_lower);
    }
}

/// Keeps every score in memory.
#[derive(Debug, Clone)]
pub struct MemoryScores {
    shadows: usize,
    records: usize,
    attacks: Vec<(AttackKind, Vec<f64>)>,
}

impl MemoryScores {
    /// Room for the scores of `shadows` targets on `records` records.
    pub fn new(shadows: usize, records: usize) -> Self {
        Self { shadows, records, attacks: Vec::new() }
    }

    /// The scores of an attack, `[shadows][records]`, NaN where absent; `None` if it was not computed.
    pub fn of(&self, attack: AttackKind) -> Option<&[f64]> {
        self.attacks.iter().find(|(kind, _)| *kind == attack).map(|(_, scores)| &scores[..])
    }
}

impl Sink for MemoryScores {
    fn scores(
        &mut self,
        attack: AttackKind,
        records: Range<usize>,
        scores: &[f64],
    ) -> Result<(), SourceError> {
        let index = self.attacks.iter().position(|(kind, _)| *kind == attack).unwrap_or_else(|| {
            self.attacks.push((attack, vec![f64::NAN; self.shadows * self.records]));
            self.attacks.len() - 1
        });
        let rows = self.attacks[index].1.chunks_exact_mut(self.records);
        for (row, part) in rows.zip(scores.chunks_exact(records.len())) {
            row[records.clone()].copy_from_slice(part);
        }
        Ok(())
    }
}
