//! Packed words by cell, in memory up to a bound and in scratch room beyond it.

use std::collections::BTreeMap;

use super::distribute::{Part, Run, Spare};
use super::key::TAG_BITS;
use crate::error::{SourceError, StatsError};
use crate::scratch::{Region, Scratch};

/// What a spilled extent begins with: where the cell's extent before it begins, and its words.
const HEADER: usize = 16;

/// Bytes that are written to scratch at once.
const WRITE: usize = 1 << 20;

/// Words by cell, as they came: part by part.
///
/// When they are too many, all of them are written to a scratch region, each cell's as one extent that names
/// the cell's extent before it: the lists cost no memory however long they grow.
pub(super) struct Runs<'a> {
    scratch: &'a dyn Scratch,
    held: Vec<Part>,
    held_words: usize,
    most_words: usize,
    region: Option<Box<dyn Region>>,
    /// End of what was written to the region.
    end: u64,
    spilled: BTreeMap<u32, Spilled>,
}

/// The words of a cell that are in the region.
struct Spilled {
    last: Extent,
    words: u64,
    first: u64,
    /// Bits in which any word differs from the first.
    differing: u64,
}

#[derive(Clone, Copy)]
struct Extent {
    offset: u64,
    words: u64,
}

impl<'a> Runs<'a> {
    /// About `memory` bytes are held.
    pub fn new(memory: usize, scratch: &'a dyn Scratch) -> Self {
        Self {
            scratch,
            held: Vec::new(),
            held_words: 0,
            most_words: memory / size_of::<u64>(),
            region: None,
            end: 0,
            spilled: BTreeMap::new(),
        }
    }

    /// Takes the words of a part; `spare` gets the buffers of those that moved to scratch.
    pub fn take(&mut self, part: Part, spare: &Spare) -> Result<(), StatsError> {
        let words = part.words.len();
        if self.held_words + words > self.most_words {
            self.spill().map_err(StatsError::Scratch)?;
            self.held.drain(..).for_each(|part| spare.give(part));
            self.held_words = 0;
        }
        self.held_words += words;
        self.held.push(part);
        Ok(())
    }

    /// All cells with words in them, and how many; descending.
    pub fn cells(&self) -> Vec<(u32, u64)> {
        let mut cells: Vec<(u32, u64)> =
            self.spilled.iter().map(|(&cell, spilled)| (cell, spilled.words)).collect();
        let mut merged = Vec::new();
        for part in &self.held {
            let mut rest = cells.iter().copied().peekable();
            for &Run { cell, begin, end } in &part.runs {
                while let Some(lower) = rest.next_if(|other| other.0 < cell) {
                    merged.push(lower);
                }
                let words = rest.next_if(|other| other.0 == cell).map_or(0, |other| other.1);
                merged.push((cell, words + u64::from(end - begin)));
            }
            merged.extend(rest);
            std::mem::swap(&mut cells, &mut merged);
            merged.clear();
        }
        cells.reverse();
        cells
    }

    /// The bits of the keys, within the packed words, in which a cell's words differ.
    pub fn differing(&self, cell: u32) -> u64 {
        let spilled = self.spilled.get(&cell);
        let (mut first, mut differing) =
            spilled.map_or((None, 0), |spilled| (Some(spilled.first), spilled.differing));
        self.from(cell).held(cell, |words| {
            let first = *first.get_or_insert(words[0]);
            differing |= differ(first, words);
        });
        differing >> TAG_BITS << TAG_BITS
    }

    /// Begins to read at a cell.
    pub fn from(&self, cell: u32) -> Descent<'_> {
        let next = |part: &Part| part.runs.partition_point(|run| run.cell <= cell);
        Descent { runs: self, next: self.held.iter().map(next).collect(), bytes: Vec::new() }
    }

    /// Writes all words that are held to scratch.
    fn spill(&mut self) -> Result<(), SourceError> {
        let cells = {
            let mut cells: Vec<u32> =
                self.held.iter().flat_map(|part| &part.runs).map(|run| run.cell).collect();
            cells.sort_unstable_by(|a, b| b.cmp(a));
            cells.dedup();
            cells
        };
        let Some(&highest) = cells.first() else { return Ok(()) };
        if self.region.is_none() {
            self.region = Some(self.scratch.region("the scores of an attack")?);
        }
        let region = self.region.as_deref().expect("it was just made");
        let descent = &mut Descent {
            next: self.held.iter().map(|part| part.runs.partition_point(|run| run.cell <= highest)).collect(),
            runs: self,
            bytes: Vec::new(),
        };
        let mut found = Vec::with_capacity(cells.len());
        let (mut bytes, mut end) = (Vec::with_capacity(WRITE), self.end);
        for cell in cells {
            let before =
                self.spilled.get(&cell).map_or(Extent { offset: 0, words: 0 }, |spilled| spilled.last);
            let offset = end + bytes.len() as u64;
            bytes.extend_from_slice(&before.offset.to_le_bytes());
            bytes.extend_from_slice(&before.words.to_le_bytes());
            let (mut count, mut first, mut differing) = (0, None, 0);
            descent.held(cell, |words| {
                count += words.len() as u64;
                differing |= differ(*first.get_or_insert(words[0]), words);
                words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
            });
            let last = Extent { offset, words: count };
            found.push((cell, Spilled { last, words: count, first: first.unwrap_or(0), differing }));
            if bytes.len() >= WRITE {
                region.write_at(end, &bytes)?;
                end += bytes.len() as u64;
                bytes.clear();
            }
        }
        region.write_at(end, &bytes)?;
        self.end = end + bytes.len() as u64;
        for (cell, more) in found {
            match self.spilled.get_mut(&cell) {
                Some(spilled) => {
                    spilled.last = more.last;
                    spilled.words += more.words;
                    spilled.differing |= more.differing | (more.first ^ spilled.first);
                }
                None => _ = self.spilled.insert(cell, more),
            }
        }
        Ok(())
    }
}

/// Bits in which any word differs from `first`.
fn differ(first: u64, words: &[u64]) -> u64 {
    words.iter().fold(0, |bits, word| bits | (word ^ first))
}

/// Reads cell after cell, descending.
pub(super) struct Descent<'a> {
    runs: &'a Runs<'a>,
    /// By part, one past its next run.
    next: Vec<usize>,
    bytes: Vec<u8>,
}

impl Descent<'_> {
    /// Visits the words of a cell, piece by piece, in any order; none above the cell are visited later.
    pub fn cell(
        &mut self,
        cell: u32,
        mut visit: impl FnMut(&[u64]) -> Result<(), StatsError>,
    ) -> Result<(), StatsError> {
        let mut held = Ok(());
        self.held(cell, |words| {
            if held.is_ok() {
                held = visit(words);
            }
        });
        held?;
        let Some(spilled) = self.runs.spilled.get(&cell) else { return Ok(()) };
        let (mut next, mut words) = (Some(spilled.last), Vec::new());
        while let (Some(extent), Some(region)) = (next, &self.runs.region) {
            self.bytes.resize(HEADER + extent.words as usize * size_of::<u64>(), 0);
            region.read_at(extent.offset, &mut self.bytes).map_err(StatsError::Scratch)?;
            let mut values = self.bytes.as_chunks().0.iter().map(|&bytes| u64::from_le_bytes(bytes));
            let (offset, before) = (values.next().unwrap_or(0), values.next().unwrap_or(0));
            words.clear();
            words.extend(values);
            visit(&words)?;
            next = (before > 0).then_some(Extent { offset, words: before });
        }
        Ok(())
    }

    /// Visits those words of a cell that are in memory.
    fn held(&mut self, cell: u32, mut visit: impl FnMut(&[u64])) {
        for (part, next) in self.runs.held.iter().zip(&mut self.next) {
            while *next > 0 && part.runs[*next - 1].cell >= cell {
                *next -= 1;
                let run = part.runs[*next];
                if run.cell == cell {
                    visit(&part.words[run.begin as usize..run.end as usize]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::MemoryScratch;

    #[test]
    fn every_word_comes_back_from_its_cell_however_little_memory_there_is() {
        for memory in [1, 20_000, usize::MAX] {
            let mut runs = Runs::new(memory, &MemoryScratch);
            let mut expected = vec![Vec::new(); 40];
            for round in 0..300u64 {
                let mut part = Part::default();
                for cell in (3..34).filter(|cell| (round * round + cell) % 5 < 2) {
                    let words: Vec<u64> =
                        (0..1 + round * cell % 50).map(|i| round << 40 | i << 20 | i).collect();
                    expected[cell as usize].extend_from_slice(&words);
                    let begin = part.words.len() as u32;
                    part.words.extend_from_slice(&words);
                    part.runs.push(Run { cell: cell as u32, begin, end: part.words.len() as u32 });
                }
                runs.take(part, &Spare::default()).unwrap();
            }
            assert!(memory == usize::MAX || runs.held.len() < 10);
            let cells = runs.cells();
            assert!(cells.is_sorted_by(|a, b| a.0 > b.0));
            let mut descent = runs.from(cells[0].0);
            for (cell, count) in cells {
                let mut found = Vec::new();
                let expected = &mut expected[cell as usize];
                let visit = |words: &[u64]| {
                    found.extend_from_slice(words);
                    Ok(())
                };
                descent.cell(cell, visit).unwrap();
                assert_eq!(count, expected.len() as u64);
                let differing = expected.iter().fold(0, |bits, word| bits | (word ^ expected[0]));
                assert_eq!(runs.differing(cell), differing & !0xffff);
                found.sort_unstable();
                expected.sort_unstable();
                assert_eq!(&found, expected);
                expected.clear();
            }
            assert!(expected.iter().all(Vec::is_empty));
        }
    }
}
