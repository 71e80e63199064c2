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

/// Combinations of groups that are counted together, at most, unless one partition has more groups.
///
/// Counting is most of the work. Instead of one counter for every partition, a patient adds to one for all
/// groups of several partitions together; the groups' own counts follow from those.
const MOST_COMBINED: usize = 1024;

/// Some partitions, counted together.
struct Combined {
    /// Where its counters start among those of all.
    start: usize,
    /// The groups of every combination (numbered through), `[combination][partition]`.
    groups: Vec<u32>,
    /// Partitions.
    width: usize,
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
    combined: Vec<Combined>,
    /// The combinations of every cell, `[cell][combined]`.
    rows: Vec<u16>,
    /// Counters of all combinations.
    pub counters: usize,
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
        let offsets: Vec<u32> = offsets.collect();

        // From here on a key is the stratum and the groups.
        let mut found: Vec<(u32, Box<[u16]>, Tally)> = Vec::with_capacity(cells.tallies.len());
        for (key, tally) in cells.tallies {
            let group = |(partition, grouping): (&Partition<'_>, &Grouping)| {
                grouping.of_level[partition.level(&key[2..])]
            };
            let row = partitions.iter().zip(&groupings).map(group).collect();
            found.push((stratum_of[&records_of(&key)], row, tally));
        }
        found.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        found.dedup_by(|next, kept| {
            let same = (next.0, &next.1) == (kept.0, &kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        let mut strata: Vec<Range<usize>> = Vec::new();
        for (cell, (stratum, ..)) in found.iter().enumerate() {
            match strata.last_mut() {
                Some(cells) if found[cells.start].0 == *stratum => cells.end = cell + 1,
                _ => strata.push(cell..cell + 1),
            }
        }
        let keys: Vec<&[u16]> = found.iter().map(|(_, row, _)| &row[..]).collect();
        let (combined, rows) = combine(&keys, &offsets);
        let counters = combined.iter().map(|combined| combined.groups.len() / combined.width).sum();
        let tallies = found.iter().map(|&(.., tally)| tally).collect();
        Self { groupings, offsets, groups, strata, tallies, combined, rows, counters }
    }

    /// Adds to the counters of a cell.
    #[inline]
    pub fn add(&self, cell: usize, amount: i64, counters: &mut [i64]) {
        let width = self.combined.len();
        for (combined, &row) in self.combined.iter().zip(&self.rows[cell * width..(cell + 1) * width]) {
            counters[combined.start + usize::from(row)] += amount;
        }
    }

    /// Every group's count, from the counters.
    pub fn count(&self, counters: &[i64], counts: &mut Vec<i64>) {
        counts.clear();
        counts.resize(self.groups, 0);
        for combined in &self.combined {
            let rows = combined.groups.chunks_exact(combined.width);
            for (groups, &amount) in rows.zip(&counters[combined.start..]) {
                groups.iter().for_each(|&group| counts[group as usize] += amount);
            }
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
        let width = self.combined.len();
        let mut sums = vec![Tally::default(); self.groups];
        for stratum in &self.strata {
            for cell in stratum.clone() {
                for (combined, &row) in self.combined.iter().zip(&self.rows[cell * width..]) {
                    let start = usize::from(row) * combined.width;
                    for &group in &combined.groups[start..start + combined.width] {
                        sums[group as usize] += self.tallies[cell];
                    }
                }
            }
            let total = self.total(stratum);
            for (group, sum) in sums.iter_mut().enumerate().filter(|(_, sum)| sum.patients > 0) {
                take(&total, group, &std::mem::take(sum));
            }
        }
    }
}

/// Puts neighbouring partitions together while few combinations of their groups occur. `keys` are the groups
/// of every cell.
fn combine(keys: &[&[u16]], offsets: &[u32]) -> (Vec<Combined>, Vec<u16>) {
    // Per combined partitions: which, and every cell's combination.
    let mut found: Vec<(Range<usize>, Vec<u16>)> = Vec::new();
    let mut ids = HashMap::<(u16, u16), u16>::new();
    for partition in 0..offsets.len() {
        let extended = found.last().and_then(|(_, combinations)| {
            ids.clear();
            let mut extended = Vec::with_capacity(keys.len());
            for (key, &combination) in keys.iter().zip(combinations) {
                let next = ids.len();
                let id = *ids.entry((combination, key[partition])).or_insert(next as u16);
                if ids.len() > MOST_COMBINED {
                    return None;
                }
                extended.push(id);
            }
            Some(extended)
        });
        match (extended, found.last_mut()) {
            (Some(extended), Some((partitions, combinations))) => {
                partitions.end = partition + 1;
                *combinations = extended;
            }
            _ => found.push((partition..partition + 1, keys.iter().map(|key| key[partition]).collect())),
        }
    }
    let mut start = 0;
    let mut combined = Vec::new();
    for (partitions, combinations) in &found {
        let width = partitions.len();
        let most = combinations.iter().max().map_or(0, |&last| usize::from(last) + 1);
        let mut groups = vec![0; most * width];
        for (key, &combination) in keys.iter().zip(combinations) {
            let row = &mut groups[usize::from(combination) * width..][..width];
            for (group, partition) in row.iter_mut().zip(partitions.clone()) {
                *group = offsets[partition] + u32::from(key[partition]);
            }
        }
        combined.push(Combined { start, groups, width });
        start += most;
    }
    let row = |cell: usize| found.iter().map(move |(_, combinations)| combinations[cell]);
    (combined, (0..keys.len()).flat_map(row).collect())
}
