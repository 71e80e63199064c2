//! The contingency table: strata by cells, a cell holding the patients of a stratum that agree in all
//! groups. All that the comparison needs is in it, however many patients there are.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::partition::{Grouping, Partition};
use super::strata::strata;

/// Patients, and how many of them ended up how.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub patients: u32,
    pub detected: u32,
    pub recognisable: u32,
    /// AUC above the cut of the most exposed.
    pub above: u32,
    /// AUC at the cut.
    pub tied: u32,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.patients += other.patients;
        self.detected += other.detected;
        self.recognisable += other.recognisable;
        self.above += other.above;
        self.tied += other.tied;
    }
}

/// Tallies by number of records and slot of every attribute.
#[derive(Default)]
pub(super) struct Cells {
    /// The key is the number of records, low half first, and the slots.
    tallies: HashMap<Box<[u16]>, Tally>,
    /// The key looked for.
    key: Vec<u16>,
}

impl Cells {
    pub fn add(&mut self, records: u32, slots: impl Iterator<Item = u16>, tally: Tally) {
        self.key.clear();
        self.key.extend([records as u16, (records >> 16) as u16]);
        self.key.extend(slots);
        match self.tallies.get_mut(&self.key[..]) {
            Some(there) => *there += tally,
            None => {
                self.tallies.insert(self.key[..].into(), tally);
            }
        }
    }
}

fn records_of(key: &[u16]) -> u32 {
    u32::from(key[0]) | u32::from(key[1]) << 16
}

/// The table, in an order that depends on the patients alone.
pub(super) struct Table {
    /// Of every partition.
    pub groupings: Vec<Grouping>,
    /// The first group of every partition when the groups of all are numbered through.
    pub offsets: Vec<u32>,
    /// Groups of all partitions.
    pub groups: usize,
    /// The cells of every stratum.
    pub strata: Vec<Range<usize>>,
    /// Every cell.
    pub tallies: Vec<Tally>,
    /// The group of every cell within every partition, `[cell][partition]`.
    rows: Vec<u16>,
}

impl Table {
    pub fn new(cells: Cells, partitions: &[Partition<'_>]) -> Self {
        let mut patients = BTreeMap::<u32, u64>::new();
        let mut sizes: Vec<Vec<u64>> =
            partitions.iter().map(|partition| vec![0; partition.levels()]).collect();
        for (key, tally) in &cells.tallies {
            *patients.entry(records_of(key)).or_default() += u64::from(tally.patients);
            for (partition, sizes) in partitions.iter().zip(&mut sizes) {
                sizes[partition.level(&key[2..])] += u64::from(tally.patients);
            }
        }
        let stratum_of = strata(&patients);
        let groupings: Vec<Grouping> =
            partitions.iter().zip(&sizes).map(|(partition, sizes)| partition.group(sizes)).collect();
        let mut groups = 0;
        let offsets = groupings.iter().map(|grouping| {
            groups += grouping.groups.len();
            (groups - grouping.groups.len()) as u32
        });
        let offsets = offsets.collect();

        // From here on a key is the stratum and the groups.
        let width = partitions.len();
        let mut found: Vec<(u32, Box<[u16]>, Tally)> = Vec::with_capacity(cells.tallies.len());
        for (key, tally) in cells.tallies {
            let group = |(partition, grouping): (&Partition<'_>, &Grouping)| {
                grouping.of_level[partition.level(&key[2..])]
            };
            let row = partitions.iter().zip(&groupings).map(group).collect();
            found.push((stratum_of[&records_of(&key)], row, tally));
        }
        found.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let mut table =
            Self { groupings, offsets, groups, strata: Vec::new(), tallies: Vec::new(), rows: Vec::new() };
        let mut last = None;
        for (stratum, row, tally) in found {
            let cell = table.tallies.len();
            if last != Some(stratum) {
                table.strata.push(cell..cell);
                last = Some(stratum);
            } else if table.rows[(cell - 1) * width..] == row[..] {
                table.tallies[cell - 1] += tally;
                continue;
            }
            table.tallies.push(tally);
            table.rows.extend_from_slice(&row);
            if let Some(cells) = table.strata.last_mut() {
                cells.end = cell + 1;
            }
        }
        table
    }

    /// Adds to the count of every group that a cell belongs to.
    #[inline]
    pub fn add(&self, cell: usize, amount: i64, counts: &mut [i64]) {
        let width = self.offsets.len();
        for (&offset, &group) in self.offsets.iter().zip(&self.rows[cell * width..(cell + 1) * width]) {
            counts[offset as usize + usize::from(group)] += amount;
        }
    }

    /// All patients of a stratum.
    pub fn total(&self, stratum: &Range<usize>) -> Tally {
        let mut total = Tally::default();
        self.tallies[stratum.clone()].iter().for_each(|&tally| total += tally);
        total
    }

    /// Calls `take` with every stratum's patients and those of them in every group that occurs in it,
    /// stratum by stratum.
    pub fn margins(&self, mut take: impl FnMut(&Tally, usize, &Tally)) {
        let width = self.offsets.len();
        let mut sums = vec![Tally::default(); self.groups];
        for stratum in &self.strata {
            for cell in stratum.clone() {
                let row = &self.rows[cell * width..(cell + 1) * width];
                for (&offset, &group) in self.offsets.iter().zip(row) {
                    sums[offset as usize + usize::from(group)] += self.tallies[cell];
                }
            }
            let total = self.total(stratum);
            for (group, sum) in sums.iter_mut().enumerate().filter(|(_, sum)| sum.patients > 0) {
                take(&total, group, &std::mem::take(sum));
            }
        }
    }
}
