//! From buckets to figures: bucket by bucket from the highest scores down, many side by side.

use rayon::prelude::*;

use super::bootstrap::Histogram;
use super::buckets::Buckets;
use super::key::{Layout, TAG_BITS};
use super::reader::{Crossing, Piece, Reader};
use super::sort::{self, Buffers};
use super::thin::{Grids, Thinner};
use super::walk::Walk;
use crate::analysis::RocCurve;
use crate::error::StatsError;
use crate::scratch::Scratch;

/// How much is done at once; no figure depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Bytes of words that are held in memory while they are collected.
    pub memory: usize,
    /// Words sorted and read by one thread at a time: small buckets together.
    pub job: u64,
    /// A bucket of more words is split.
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
}

/// Bits by which a large bucket is split.
const SPLIT_BITS: u32 = 8;

/// Words that are split at once.
const BATCH: usize = 1 << 16;

/// Reads the curves.
pub(super) struct Finish<'a> {
    pub layout: Layout,
    pub sizes: Sizes,
    pub scratch: &'a dyn Scratch,
    pub grids: &'a Grids,
    pub pooled: Option<(Reader, RocCurve)>,
    /// By tag without side; none if not wanted.
    pub curves: Vec<Reader>,
    pub histogram: Option<&'a Histogram>,
}

/// Buckets that one thread reads one after the other.
#[derive(Default)]
struct Job {
    /// Descending.
    numbers: Vec<u32>,
    words: u64,
}

/// A job's words, sorted within each bucket.
struct Loaded {
    words: Vec<u64>,
    /// Where the buckets end.
    ends: Vec<usize>,
    /// Words by tag.
    counts: Vec<u32>,
}

/// What a job found.
struct Read {
    pooled: Option<(Piece, RocCurve)>,
    curves: Vec<Piece>,
    pooled_crossings: Vec<Crossing>,
    crossings: Vec<(u32, Crossing)>,
}

impl<'a> Finish<'a> {
    /// Reads all buckets, from the highest.
    pub fn descend(&mut self, buckets: &mut Buckets<'_>) -> Result<(), StatsError> {
        let mut jobs: Vec<Job> = Vec::new();
        for number in buckets.numbers().into_iter().rev() {
            let words = buckets.len(number);
            if words > self.sizes.most {
                self.wave(buckets, std::mem::take(&mut jobs))?;
                if buckets.differing(number) == 0 {
                    self.ties(buckets, number)?;
                } else {
                    let mut finer = self.split(buckets, number)?;
                    buckets.release(number);
                    self.descend(&mut finer)?;
                }
                continue;
            }
            if jobs.last().is_none_or(|job| job.words + words > self.sizes.job) {
                if jobs.iter().map(|job| job.words).sum::<u64>() + words > self.sizes.wave {
                    self.wave(buckets, std::mem::take(&mut jobs))?;
                }
                jobs.push(Job::default());
            }
            if let Some(job) = jobs.last_mut() {
                job.numbers.push(number);
                job.words += words;
            }
        }
        self.wave(buckets, jobs)
    }

    /// Reads jobs, all threads at once.
    fn wave(&mut self, buckets: &mut Buckets<'_>, jobs: Vec<Job>) -> Result<(), StatsError> {
        let loaded: Vec<Loaded> = jobs
            .par_iter()
            .map_init(Buffers::default, |buffers, job| self.load(buckets, job, buffers))
            .collect::<Result<_, _>>()?;
        for number in jobs.iter().flat_map(|job| &job.numbers) {
            buckets.release(*number);
        }
        // The counts above each job: true and false positives by curve, and of all.
        let mut above: Vec<[u64; 2]> = self.curves.iter().map(|curve| curve.so_far().into()).collect();
        let mut above_all: [u64; 2] =
            self.pooled.as_ref().map_or([0; 2], |(reader, _)| reader.so_far().into());
        let starts: Vec<_> = loaded
            .iter()
            .map(|job| {
                let start = (above.clone(), above_all);
                for (tag, &count) in job.counts.iter().enumerate() {
                    above_all[1 - (tag & 1)] += u64::from(count);
                    if let Some(above) = above.get_mut(tag >> 1) {
                        above[1 - (tag & 1)] += u64::from(count);
                    }
                }
                start
            })
            .collect();
        let read: Vec<Read> = loaded
            .into_par_iter()
            .zip(starts)
            .map(|(job, (above, above_all))| self.read(&job, &above, above_all))
            .collect();
        read.into_iter().for_each(|read| self.join(read));
        Ok(())
    }

    fn load(&self, buckets: &Buckets<'_>, job: &Job, buffers: &mut Buffers) -> Result<Loaded, StatsError> {
        let mut loaded = Loaded {
            words: Vec::with_capacity(job.words as usize),
            ends: Vec::with_capacity(job.numbers.len()),
            counts: vec![0; self.layout.tags()],
        };
        for &number in &job.numbers {
            let begin = loaded.words.len();
            buckets.read(number, |words| {
                loaded.words.extend_from_slice(words);
                words.iter().for_each(|&word| loaded.counts[self.layout.tag(word)] += 1);
                Ok(())
            })?;
            sort::sort(&mut loaded.words[begin..], buffers);
            loaded.ends.push(loaded.words.len());
        }
        Ok(loaded)
    }

    fn read(&self, job: &Loaded, above: &[[u64; 2]], [tp, fp]: [u64; 2]) -> Read {
        let pooled = self.pooled.as_ref();
        let pooled = pooled.map(|(reader, _)| (reader.piece(tp, fp), Thinner::new(self.grids, (tp, fp))));
        let curves = self.curves.iter().zip(above).map(|(reader, &[tp, fp])| reader.piece(tp, fp)).collect();
        let tally = self.histogram.map(|histogram| histogram.tally(tp + fp));
        let mut walk = Walk::new(self.layout, pooled, curves, tally);
        let mut begin = 0;
        for &end in &job.ends {
            walk.words(&job.words[begin..end]);
            begin = end;
        }
        Read {
            pooled: walk.pooled.map(|(piece, thinner)| (piece, thinner.curve())),
            curves: walk.curves,
            pooled_crossings: walk.pooled_crossings,
            crossings: walk.crossings,
        }
    }

    fn join(&mut self, read: Read) {
        if let (Some((reader, curve)), Some((piece, drawn))) = (&mut self.pooled, read.pooled) {
            read.pooled_crossings.iter().for_each(|crossing| reader.cross(crossing));
            reader.join(&piece);
            curve.fpr.extend_from_slice(&drawn.fpr);
            curve.tpr.extend_from_slice(&drawn.tpr);
        }
        for (curve, crossing) in &read.crossings {
            self.curves[*curve as usize].cross(crossing);
        }
        for (reader, piece) in self.curves.iter_mut().zip(&read.curves) {
            reader.join(piece);
        }
    }

    /// A large bucket of equal scores: one vertex, whatever their order.
    fn ties(&mut self, buckets: &mut Buckets<'_>, number: u32) -> Result<(), StatsError> {
        let mut counts = vec![0u64; 1 << TAG_BITS];
        buckets.read(number, |words| {
            words.iter().for_each(|&word| counts[word as usize & ((1 << TAG_BITS) - 1)] += 1);
            Ok(())
        })?;
        buckets.release(number);
        let mut by_tag = vec![0u64; self.layout.tags()];
        for (tag, &count) in counts.iter().enumerate() {
            by_tag[self.layout.tag(tag as u64)] += count;
        }
        if let Some((reader, curve)) = &mut self.pooled {
            let side = |side: usize| by_tag.iter().skip(side).step_by(2).sum::<u64>();
            let (before, mut thinner) = (reader.so_far(), Thinner::new(self.grids, reader.so_far()));
            reader.vertex(side(1), side(0));
            thinner.step(before, reader.so_far());
            let drawn = thinner.curve();
            curve.fpr.extend_from_slice(&drawn.fpr);
            curve.tpr.extend_from_slice(&drawn.tpr);
            if let Some(histogram) = self.histogram {
                let mut tally = histogram.tally(before.0 + before.1);
                let present = counts.iter().enumerate().filter(|(_, count)| **count > 0);
                present.for_each(|(tag, &count)| tally.add_many(tag as u64, count));
            }
        }
        for (reader, counts) in self.curves.iter_mut().zip(by_tag.chunks_exact(2)) {
            reader.vertex(counts[1], counts[0]);
        }
        Ok(())
    }

    /// Distributes a large bucket by the next bits in which its keys differ.
    fn split(&self, buckets: &Buckets<'_>, number: u32) -> Result<Buckets<'a>, StatsError> {
        let top = u64::BITS - buckets.differing(number).leading_zeros();
        let from = (top - SPLIT_BITS).max(TAG_BITS);
        let digit = |word: u64| (word >> from) as usize & ((1 << SPLIT_BITS) - 1);
        let mut finer = Buckets::new(1 << SPLIT_BITS, self.sizes.memory / 2, self.scratch);
        let mut batch = Vec::with_capacity(BATCH);
        let mut sorted = vec![0; BATCH];
        let mut distribute = |batch: &mut Vec<u64>| {
            let mut ends = [0usize; 1 << SPLIT_BITS];
            batch.iter().for_each(|&word| ends[digit(word)] += 1);
            let mut next = 0;
            for end in &mut ends {
                (*end, next) = (next, next + *end);
            }
            for &word in batch.iter() {
                sorted[ends[digit(word)]] = word;
                ends[digit(word)] += 1;
            }
            let mut begin = 0;
            for (number, &end) in ends.iter().enumerate() {
                finer.append(number as u32, &sorted[begin..end])?;
                begin = end;
            }
            batch.clear();
            Ok(())
        };
        buckets.read(number, |words| {
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
