//! From cells to figures: cell by cell from the highest scores down, many side by side.

use rayon::prelude::*;

use super::bootstrap::Histogram;
use super::distribute::{Part, Run, Spare};
use super::key::{Layout, TAG_BITS};
use super::reader::Reader;
use super::runs::Runs;
use super::sort::Buffers;
use super::thin::Thinner;
use super::walk::{Strips, Walk};
use crate::error::StatsError;
use crate::scratch::Scratch;

/// How much is done at once; no figure depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Bytes of words that are held in memory while they are collected.
    pub memory: usize,
    /// Words sorted and read by one thread at a time: small cells together.
    pub job: u64,
    /// A cell of more words is split.
    pub most: u64,
    /// Words in work by all threads.
    pub wave: u64,
}

impl Sizes {
    /// For a collector that may hold so many bytes.
    pub fn holding(memory: usize) -> Self {
        let threads = rayon::current_num_threads() as u64;
        Self { memory, job: 1 << 16, most: 1 << 19, wave: (threads << 16).max(1 << 20) }
    }

    /// Into how many cells so many scores are best part.
    pub fn cells(&self, scores: u64) -> usize {
        ((scores / CELL) as usize).min(self.memory / EXTENT).clamp(1, MOST_CELLS)
    }
}

/// Words of a cell, as is hoped: few enough to be sorted in the nearest cache.
const CELL: u64 = 1500;

/// Cells, as is hoped, at most: more are slower to write to than they are fast to sort.
const MOST_CELLS: usize = 1024;

/// Bytes of a cell that go to scratch room at a time, as is hoped.
const EXTENT: usize = 32 << 10;

/// Bits by which a large cell is split.
const SPLIT_BITS: u32 = 8;

/// Words that are split at once.
const BATCH: usize = 1 << 16;

/// Reads the curves.
pub(super) struct Finish<'a> {
    pub layout: Layout,
    pub sizes: Sizes,
    pub scratch: &'a dyn Scratch,
    pub pooled: Option<(Reader, Thinner)>,
    /// By tag without side; none if not wanted.
    pub curves: Vec<Reader>,
    pub histogram: Option<&'a Histogram>,
    /// Words read so far.
    pub rank: u64,
}

/// Cells that one thread reads one after the other.
#[derive(Default)]
struct Job {
    /// Descending.
    cells: Vec<u32>,
    words: u64,
}

impl<'a> Finish<'a> {
    /// Reads all cells, from the highest.
    pub fn descend(&mut self, runs: &Runs<'_>) -> Result<(), StatsError> {
        let mut jobs: Vec<Job> = Vec::new();
        for (cell, words) in runs.cells() {
            if words > self.sizes.most {
                self.wave(runs, std::mem::take(&mut jobs))?;
                match runs.differing(cell) {
                    0 => self.ties(runs, cell)?,
                    differing => {
                        let finer = self.split(runs, cell, differing)?;
                        self.descend(&finer)?;
                    }
                }
                continue;
            }
            if jobs.last().is_none_or(|job| job.words + words > self.sizes.job) {
                if jobs.iter().map(|job| job.words).sum::<u64>() + words > self.sizes.wave {
                    self.wave(runs, std::mem::take(&mut jobs))?;
                }
                jobs.push(Job::default());
            }
            if let Some(job) = jobs.last_mut() {
                job.cells.push(cell);
                job.words += words;
            }
        }
        self.wave(runs, jobs)
    }

    /// Reads jobs, all threads at once.
    fn wave(&mut self, runs: &Runs<'_>, jobs: Vec<Job>) -> Result<(), StatsError> {
        let jobs: Vec<(Job, u64)> = jobs
            .into_iter()
            .map(|job| {
                let rank = self.rank;
                self.rank += job.words;
                (job, rank)
            })
            .collect();
        let walked: Vec<Strips> = jobs
            .par_iter()
            .map_init(Buffers::default, |buffers, (job, rank)| self.walk(runs, job, *rank, buffers))
            .collect::<Result<_, _>>()?;
        let Self { pooled, curves, .. } = self;
        let pooled = || {
            if let Some((reader, drawing)) = pooled {
                reader.read(walked.iter().map(|strips| &strips.pooled[..]), Some(drawing));
            }
        };
        let curves = || {
            let curves = curves.par_iter_mut().enumerate().filter(|(_, reader)| reader.two_sided());
            curves.for_each(|(curve, reader)| {
                reader.read(walked.iter().map(|strips| strips.curve(curve)), None);
            });
        };
        rayon::join(pooled, curves);
        Ok(())
    }

    fn walk(
        &self,
        runs: &Runs<'_>,
        job: &Job,
        rank: u64,
        buffers: &mut Buffers,
    ) -> Result<Strips, StatsError> {
        let tally = self.histogram.map(|histogram| histogram.tally(rank));
        let mut walk = Walk::new(self.layout, self.pooled.is_some(), self.curves.len(), tally);
        let Some(&first) = job.cells.first() else { return Ok(walk.strips()) };
        let mut descent = runs.from(first);
        for &cell in &job.cells {
            buffers.words.clear();
            descent.cell(cell, |words| {
                buffers.words.extend_from_slice(words);
                Ok(())
            })?;
            walk.words(buffers.sort());
        }
        Ok(walk.strips())
    }

    /// A large cell of equal scores: one vertex, whatever their order.
    fn ties(&mut self, runs: &Runs<'_>, cell: u32) -> Result<(), StatsError> {
        let mut counts = vec![0u64; 1 << TAG_BITS];
        runs.from(cell).cell(cell, |words| {
            words.iter().for_each(|&word| counts[word as usize & ((1 << TAG_BITS) - 1)] += 1);
            Ok(())
        })?;
        let mut by_tag = vec![0u64; self.layout.tags()];
        for (tag, &count) in counts.iter().enumerate() {
            by_tag[self.layout.tag(tag as u64)] += count;
        }
        if let Some((reader, drawing)) = &mut self.pooled {
            let side = |side: usize| by_tag.iter().skip(side).step_by(2).sum::<u64>();
            reader.vertex(side(1), side(0), Some(drawing));
        }
        if let Some(histogram) = self.histogram {
            let mut tally = histogram.tally(self.rank);
            let present = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            present.for_each(|(tag, &count)| tally.add_many(tag as u64, count));
        }
        self.rank += counts.iter().sum::<u64>();
        for (reader, counts) in self.curves.iter_mut().zip(by_tag.chunks_exact(2)) {
            reader.vertex(counts[1], counts[0], None);
        }
        Ok(())
    }

    /// Distributes a large cell by the next bits in which its keys differ.
    fn split(&self, runs: &Runs<'_>, cell: u32, differing: u64) -> Result<Runs<'a>, StatsError> {
        let top = u64::BITS - differing.leading_zeros();
        let from = (top - SPLIT_BITS).max(TAG_BITS);
        let digit = |word: u64| (word >> from) as usize & ((1 << SPLIT_BITS) - 1);
        let (mut finer, spare) = (Runs::new(self.sizes.memory / 2, self.scratch), Spare::default());
        let mut batch = Vec::with_capacity(BATCH);
        let mut distribute = |batch: &mut Vec<u64>| {
            let mut places = [0u32; 1 << SPLIT_BITS];
            batch.iter().for_each(|&word| places[digit(word)] += 1);
            let (mut part, mut next) = (Part { words: spare.words(batch.len()), runs: Vec::new() }, 0);
            for (cell, place) in (0..).zip(&mut places).filter(|(_, place)| **place > 0) {
                let begin = next;
                (*place, next) = (begin, begin + *place);
                part.runs.push(Run { cell, begin, end: next });
            }
            for word in batch.drain(..) {
                let place = &mut places[digit(word)];
                part.words[*place as usize] = word;
                *place += 1;
            }
            finer.take(part, &spare)
        };
        runs.from(cell).cell(cell, |words| {
            for words in words.chunks(BATCH) {
                if batch.len() + words.len() > BATCH {
                    distribute(&mut batch)?;
                }
                batch.extend_from_slice(words);
            }
            Ok(())
        })?;
        distribute(&mut batch)?;
        Ok(finer)
    }
}
