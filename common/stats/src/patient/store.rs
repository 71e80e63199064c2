//! What was found about patients one by one, kept until all have been tested. There may be many millions,
//! so it lies in scratch room: [`ROW`] bytes a unit, in unit order.

use std::collections::HashMap;
use std::sync::Arc;

use crate::epsilon::Hits;
use crate::error::{SourceError, StatsError};
use crate::nulls::Null;
use crate::patient::tester::Tested;
use crate::scratch::{Region, Scratch};

/// Bytes of a unit.
const ROW: usize = 5 * size_of::<f64>() + 2 * size_of::<u32>() + 4 * size_of::<u16>();

type Row = [u8; ROW];

/// Rows that wait to be written in unit order, and rows that are written or read at once.
const TOGETHER: usize = 1 << 14;

/// In place of the number of a null: the unit was not tested.
const UNTESTED: u32 = u32::MAX;

/// What is known about a unit.
#[derive(Debug, Clone)]
pub(crate) struct Patient {
    /// `None` if there is nothing to compare.
    pub tested: Option<Tested>,
    /// The highest binormal AUC of its records; NaN where none has one.
    pub strongest: f64,
}

/// All patients.
pub(crate) struct Store {
    region: Box<dyn Region>,
    units: usize,
    waiting: Vec<(u32, Row)>,
    /// The nulls of the tests, numbered.
    nulls: Vec<Arc<Null>>,
    /// Their numbers, by where they lie.
    numbers: HashMap<*const Null, u32>,
}

impl Store {
    /// Of `units` units, none of which was tested yet.
    pub fn new(units: usize, scratch: &dyn Scratch) -> Result<Self, StatsError> {
        let region = scratch.region("what is known about patients").map_err(StatsError::Scratch)?;
        let blank = encode(&Patient { tested: None, strongest: f64::NAN }, UNTESTED);
        let blanks = blank.repeat(TOGETHER.min(units));
        for first in (0..units).step_by(TOGETHER) {
            let rows = TOGETHER.min(units - first);
            region.write_at(offset(first), &blanks[..rows * ROW]).map_err(StatsError::Scratch)?;
        }
        Ok(Self { region, units, waiting: Vec::new(), nulls: Vec::new(), numbers: HashMap::new() })
    }

    /// Keeps what is known about a unit.
    pub fn put(&mut self, unit: u32, patient: &Patient) -> Result<(), StatsError> {
        let null = patient.tested.as_ref().map_or(UNTESTED, |tested| self.number(&tested.null));
        self.waiting.push((unit, encode(patient, null)));
        if self.waiting.len() == TOGETHER { self.write() } else { Ok(()) }
    }

    fn number(&mut self, null: &Arc<Null>) -> u32 {
        *self.numbers.entry(Arc::as_ptr(null)).or_insert_with(|| {
            self.nulls.push(Arc::clone(null));
            self.nulls.len() as u32 - 1
        })
    }

    /// Writes what waits, units that follow one another at once.
    fn write(&mut self) -> Result<(), StatsError> {
        self.waiting.sort_unstable_by_key(|(unit, _)| *unit);
        let mut bytes = Vec::new();
        for run in self.waiting.chunk_by(|(a, _), (b, _)| a + 1 == *b) {
            bytes.clear();
            run.iter().for_each(|(_, row)| bytes.extend_from_slice(row));
            self.region.write_at(offset(run[0].0 as usize), &bytes).map_err(StatsError::Scratch)?;
        }
        self.waiting.clear();
        Ok(())
    }

    /// Nothing more is put.
    pub fn close(mut self) -> Result<Patients, StatsError> {
        self.write()?;
        Ok(Patients { region: self.region, units: self.units, nulls: self.nulls })
    }
}

/// All patients, to be read as often as need be.
pub(crate) struct Patients {
    region: Box<dyn Region>,
    units: usize,
    nulls: Vec<Arc<Null>>,
}

impl Patients {
    /// Visits all units in their order.
    pub fn for_each<'s>(
        &'s self,
        mut visit: impl FnMut(usize, &Patient, Option<&'s Null>) -> Result<(), StatsError>,
    ) -> Result<(), StatsError> {
        let mut bytes = Vec::new();
        for first in (0..self.units).step_by(TOGETHER) {
            let rows = TOGETHER.min(self.units - first);
            bytes.resize(rows * ROW, 0);
            self.region.read_at(offset(first), &mut bytes).map_err(StatsError::Scratch)?;
            for (unit, row) in (first..).zip(bytes.chunks_exact(ROW)) {
                let (patient, null) = self.decode(row).map_err(StatsError::Scratch)?;
                visit(unit, &patient, null)?;
            }
        }
        Ok(())
    }

    fn decode(&self, row: &[u8]) -> Result<(Patient, Option<&Null>), SourceError> {
        let mut rest = row;
        let [strongest, auc, upper, lower, ln_e] = [(); 5].map(|()| f64::from_le_bytes(taken(&mut rest)));
        let [number, n] = [(); 2].map(|()| u32::from_le_bytes(taken(&mut rest)));
        let [members, caught, strangers, flagged] = [(); 4].map(|()| u16::from_le_bytes(taken(&mut rest)));
        if number == UNTESTED {
            return Ok((Patient { tested: None, strongest }, None));
        }
        let null = self.nulls.get(number as usize).ok_or_else(|| {
            SourceError::new("it does not hold what was written: does something else write there?")
        })?;
        let hits = Hits { members, caught, strangers, flagged };
        let tested = Tested { auc, upper, lower, ln_e, n, hits, null: Arc::clone(null) };
        Ok((Patient { tested: Some(tested), strongest }, Some(null)))
    }
}

fn offset(unit: usize) -> u64 {
    unit as u64 * ROW as u64
}

fn encode(patient: &Patient, null: u32) -> Row {
    let mut row = [0; ROW];
    let mut rest = &mut row[..];
    let mut put = |bytes: &[u8]| {
        let (here, after) = std::mem::take(&mut rest).split_at_mut(bytes.len());
        here.copy_from_slice(bytes);
        rest = after;
    };
    let Patient { tested, strongest } = patient;
    let of = |read: fn(&Tested) -> f64| tested.as_ref().map_or(f64::NAN, read);
    for number in [*strongest, of(|t| t.auc), of(|t| t.upper), of(|t| t.lower), of(|t| t.ln_e)] {
        put(&number.to_le_bytes());
    }
    let (n, hits) = tested.as_ref().map_or((0, Hits::default()), |tested| (tested.n, tested.hits));
    put(&null.to_le_bytes());
    put(&n.to_le_bytes());
    for count in [hits.members, hits.caught, hits.strangers, hits.flagged] {
        put(&count.to_le_bytes());
    }
    row
}

/// The first bytes, taken off.
fn taken<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (taken, after) = rest.split_first_chunk().expect("a row has all of its bytes");
    *rest = after;
    *taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nulls::NullTables;
    use crate::scratch::MemoryScratch;

    #[test]
    fn patients_come_back_in_unit_order_whatever_the_order_they_came_in() {
        let units = 2 * TOGETHER + 700;
        let tables = NullTables::default();
        let nulls = [(1, 1), (2, 3)].map(|strata| tables.get(false, &[strata], &mut None));
        let of = |unit: usize| Patient {
            tested: (!unit.is_multiple_of(5)).then(|| Tested {
                auc: unit as f64,
                upper: 0.5,
                lower: -0.0,
                ln_e: f64::NEG_INFINITY,
                n: unit as u32,
                hits: Hits { members: 1, caught: 2, strangers: 3, flagged: unit as u16 },
                null: Arc::clone(&nulls[unit % 2]),
            }),
            strongest: unit as f64 / 2.0,
        };
        let mut store = Store::new(units, &MemoryScratch).unwrap();
        // 7919 shares no factor with the number of units; every eleventh is never put.
        let order = (0..units).map(|i| i * 7919 % units).filter(|unit| unit % 11 > 0);
        order.for_each(|unit| store.put(unit as u32, &of(unit)).unwrap());
        let patients = store.close().unwrap();
        let mut next = 0;
        let visit = |unit: usize, found: &Patient, null: Option<&Null>| {
            assert_eq!(unit, next);
            next += 1;
            let absent = Patient { tested: None, strongest: f64::NAN };
            let expected = if !unit.is_multiple_of(11) { of(unit) } else { absent };
            assert_eq!(format!("{found:?}"), format!("{expected:?}"));
            assert_eq!(null.map(|null| &null.key), expected.tested.as_ref().map(|tested| &tested.null.key));
            Ok(())
        };
        patients.for_each(visit).unwrap();
        assert_eq!(next, units);
    }
}
