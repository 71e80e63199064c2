//! An audit of any size, of which nothing but membership and units is kept, in mapped files.

use std::ops::Range;
use std::path::Path;

use umbra_runtime::mapped::Plain;
use umbra_runtime::{Mapped, ScratchError};
use umbra_stats::{Labels, Shape, SourceError, Tile, TileSource};

/// Shadows of a block.
pub const BLOCK: usize = 16;

/// What is generated: a model with one logit, whose labels are all 1, so that logits are signals.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Records.
    pub records: usize,
    /// Shadows, whole blocks of 16.
    pub shadows: usize,
    /// Every unit has from `least` to `most` records.
    pub records_per_unit: (usize, usize),
    /// Whether the records of a unit are scattered over the matrix, and not one after the other.
    pub scattered: bool,
    /// Whether the label is the only one of possibly several: the model's own task has no curve then.
    pub multi_label: bool,
}

/// The inputs, mapped.
#[derive(Debug)]
pub struct Generated {
    pub plan: Plan,
    pub units: usize,
    pub unit_of: Mapped<u32>,
    classes: Option<Mapped<u32>>,
    labels: Option<Mapped<u8>>,
    /// The packed columns.
    pub columns: Mapped<u64>,
}

/// A number that follows from another, without pattern (splitmix64: Steele, Lea and Flood 2014,
/// doi 10.1145/2660193.2660195).
pub fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Generated {
    /// Draws units and membership into files of the folder.
    pub fn draw(plan: Plan, folder: &Path) -> Result<Self, ScratchError> {
        let (least, most) = plan.records_per_unit;
        let (mut unit, mut left) = (0u32, 0);
        let mut next = || {
            if left == 0 {
                left = least + (mixed(u64::from(unit)) % (most - least + 1) as u64) as usize;
                unit += 1;
            }
            left -= 1;
            unit - 1
        };
        let in_order = written(folder, (0..plan.records).map(|_| next()))?;
        let units = unit as usize;
        let unit_of = if plan.scattered {
            // A step that shares no factor with the number of records visits each record once.
            let step = (plan.records * 2 / 3..).find(|&step| coprime(step, plan.records)).unwrap_or(1);
            let place = |record: usize| (record as u128 * step as u128 % plan.records as u128) as usize;
            written(folder, (0..plan.records).map(|record| in_order[place(record)]))?
        } else {
            in_order
        };
        let (classes, labels) = match plan.multi_label {
            true => (None, Some(written(folder, (0..plan.records).map(|_| 1u8))?)),
            false => (Some(written(folder, (0..plan.records).map(|_| 1u32))?), None),
        };
        // Every way to be in half of a block.
        let halves: Vec<u16> =
            (0..=u16::MAX).filter(|half| half.count_ones() as usize * 2 == BLOCK).collect();
        let words = plan.shadows.div_ceil(64);
        let column = |unit: usize| {
            let halves = &halves;
            (0..words).map(move |word| {
                let blocks = (plan.shadows - word * 64).min(64) / BLOCK;
                (0..blocks).fold(0u64, |bits, block| {
                    let draw = mixed(mixed(unit as u64 + 1) ^ (word * 4 + block) as u64);
                    bits | u64::from(halves[(draw % halves.len() as u64) as usize]) << (block * BLOCK)
                })
            })
        };
        let columns = written(folder, (0..units).flat_map(column))?;
        Ok(Self { plan, units, unit_of, classes, labels, columns })
    }

    pub fn labels(&self) -> Labels<'_> {
        match (&self.classes, &self.labels) {
            (_, Some(labels)) => Labels::Multi(labels),
            (classes, _) => Labels::Class(classes.as_deref().unwrap_or_default()),
        }
    }
}

fn written<T: Plain>(folder: &Path, numbers: impl Iterator<Item = T>) -> Result<Mapped<T>, ScratchError> {
    let mut growing = Mapped::grow(folder, "a generated audit")?;
    for number in numbers {
        growing.push(number)?;
    }
    growing.finish()
}

fn coprime(a: usize, b: usize) -> bool {
    if b == 0 { a == 1 } else { coprime(b, a % b) }
}

impl TileSource for Generated {
    fn shape(&self) -> Shape {
        Shape { shadows: self.plan.shadows, records: self.plan.records, queries: 1, classes: 1 }
    }

    /// Sums of four uniform numbers, less those of which one in a hundred units leaks: their logits are
    /// higher where the shadow was trained on them.
    fn read(&self, records: Range<usize>, out: &mut Tile) -> Result<(), SourceError> {
        let shadows = self.plan.shadows;
        let words = shadows.div_ceil(64);
        let logits = out.reset_f32(&self.shape(), records.len());
        for (record, row) in records.zip(logits.chunks_exact_mut(shadows)) {
            let unit = self.unit_of[record] as usize;
            let leak = if unit.is_multiple_of(100) { 1.5 } else { 0.0 };
            let column = &self.columns[unit * words..(unit + 1) * words];
            let key = mixed(!(record as u64));
            for (shadow, logit) in row.iter_mut().enumerate() {
                let bits = mixed(key ^ shadow as u64);
                let uniform = |part: u32| (bits >> (16 * part) & 0xffff) as f32 / 65536.0 - 0.5;
                let inside = column[shadow / 64] >> (shadow % 64) & 1 == 1;
                // The variance of a uniform number is 1/12.
                let noise = (uniform(0) + uniform(1) + uniform(2) + uniform(3)) * 1.732;
                *logit = noise + if inside { leak } else { 0.0 };
            }
        }
        Ok(())
    }
}
