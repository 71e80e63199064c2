//! Packed words by bucket, in memory up to a bound and in scratch room beyond it.

use super::key::TAG_BITS;
use crate::error::{SourceError, StatsError};
use crate::scratch::{Region, Scratch};

/// Words of a chunk, the unit in which memory is taken.
const CHUNK: usize = 256;

/// What a spilled extent begins with: where the bucket's extent before it begins, and its words.
const HEADER: usize = 16;

/// No bucket of that number yet.
const NONE: u32 = u32::MAX;

/// Lists of packed words.
///
/// Every bucket is a list of chunks. When they are too many, full chunks are written to a scratch region,
/// each bucket's as one extent that names the bucket's extent before it: the lists cost no memory however
/// long they grow.
pub(super) struct Buckets<'a> {
    scratch: &'a dyn Scratch,
    region: Option<Box<dyn Region>>,
    /// End of what was written to the region.
    end: u64,
    /// By number, the place in `buckets`.
    places: Vec<u32>,
    buckets: Vec<Bucket>,
    chunks: Vec<Box<[u64]>>,
    free: Vec<u32>,
    most_chunks: usize,
    bytes: Vec<u8>,
}

struct Bucket {
    /// All words, and those that are in memory.
    words: u64,
    held: usize,
    chunks: Vec<u32>,
    first: u64,
    /// Bits in which any word differs from the first.
    differing: u64,
    last_extent: Option<Extent>,
}

#[derive(Clone, Copy)]
struct Extent {
    offset: u64,
    words: u64,
}

impl Bucket {
    fn new(first: u64) -> Self {
        Self { words: 0, held: 0, chunks: Vec::new(), first, differing: 0, last_extent: None }
    }
}

impl<'a> Buckets<'a> {
    /// Numbers below `count`; about `memory` bytes are held.
    pub fn new(count: usize, memory: usize, scratch: &'a dyn Scratch) -> Self {
        Self {
            scratch,
            region: None,
            end: 0,
            places: vec![NONE; count],
            buckets: Vec::new(),
            chunks: Vec::new(),
            free: Vec::new(),
            most_chunks: (memory / (CHUNK * size_of::<u64>())).max(1),
            bytes: Vec::new(),
        }
    }

    /// The numbers of all buckets with words in them, ascending.
    pub fn numbers(&self) -> Vec<u32> {
        let used = |number: &u32| self.places[*number as usize] != NONE;
        (0..self.places.len() as u32).filter(used).collect()
    }

    /// Words in a bucket.
    pub fn len(&self, number: u32) -> u64 {
        self.bucket(number).words
    }

    /// The bits of the keys, within the packed words, in which a bucket's words differ.
    pub fn differing(&self, number: u32) -> u64 {
        self.bucket(number).differing >> TAG_BITS << TAG_BITS
    }

    fn bucket(&self, number: u32) -> &Bucket {
        &self.buckets[self.places[number as usize] as usize]
    }

    /// Appends words to a bucket.
    pub fn append(&mut self, number: u32, words: &[u64]) -> Result<(), StatsError> {
        let Some(&first) = words.first() else { return Ok(()) };
        if self.places[number as usize] == NONE {
            self.places[number as usize] = self.buckets.len() as u32;
            self.buckets.push(Bucket::new(first));
        }
        let place = self.places[number as usize] as usize;
        let bucket = &mut self.buckets[place];
        bucket.words += words.len() as u64;
        bucket.differing |= words.iter().fold(0, |bits, word| bits | (word ^ bucket.first));
        let mut rest = words;
        while !rest.is_empty() {
            let bucket = &mut self.buckets[place];
            let at = bucket.held % CHUNK;
            if at == 0 {
                if self.chunks.len() - self.free.len() >= self.most_chunks {
                    self.spill()?;
                }
                let chunk = self.free.pop().unwrap_or_else(|| {
                    self.chunks.push(vec![0; CHUNK].into_boxed_slice());
                    self.chunks.len() as u32 - 1
                });
                self.buckets[place].chunks.push(chunk);
            }
            let bucket = &mut self.buckets[place];
            let at = bucket.held % CHUNK;
            let chunk = *bucket.chunks.last().expect("one was pushed where none was begun") as usize;
            let (now, later) = rest.split_at(rest.len().min(CHUNK - at));
            self.chunks[chunk][at..at + now.len()].copy_from_slice(now);
            bucket.held += now.len();
            rest = later;
        }
        Ok(())
    }

    /// Makes room: full chunks first, as long extents are read faster; all if that is not enough.
    fn spill(&mut self) -> Result<(), StatsError> {
        for all in [false, true] {
            if self.chunks.len() - self.free.len() <= self.most_chunks / 2 {
                break;
            }
            for place in 0..self.buckets.len() {
                self.spill_bucket(place, all).map_err(StatsError::Scratch)?;
            }
        }
        Ok(())
    }

    fn spill_bucket(&mut self, place: usize, all: bool) -> Result<(), SourceError> {
        let bucket = &mut self.buckets[place];
        let words = if all { bucket.held } else { bucket.held / CHUNK * CHUNK };
        if words == 0 {
            return Ok(());
        }
        let before = bucket.last_extent.unwrap_or(Extent { offset: 0, words: 0 });
        self.bytes.resize(HEADER + words * size_of::<u64>(), 0);
        self.bytes[..8].copy_from_slice(&before.offset.to_le_bytes());
        self.bytes[8..HEADER].copy_from_slice(&before.words.to_le_bytes());
        let mut room = self.bytes[HEADER..].chunks_exact_mut(size_of::<u64>());
        for (index, chunk) in bucket.chunks.drain(..words.div_ceil(CHUNK)).enumerate() {
            let filled = CHUNK.min(words - index * CHUNK);
            for (word, bytes) in self.chunks[chunk as usize][..filled].iter().zip(&mut room) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
            self.free.push(chunk);
        }
        bucket.held -= words;
        bucket.last_extent = Some(Extent { offset: self.end, words: words as u64 });
        if self.region.is_none() {
            self.region = Some(self.scratch.region("the scores of an attack")?);
        }
        let region = self.region.as_deref().expect("it was just made");
        region.write_at(self.end, &self.bytes)?;
        self.end += self.bytes.len() as u64;
        Ok(())
    }

    /// Visits all words of a bucket, piece by piece, in any order.
    pub fn read(
        &self,
        number: u32,
        mut visit: impl FnMut(&[u64]) -> Result<(), StatsError>,
    ) -> Result<(), StatsError> {
        let bucket = self.bucket(number);
        for (index, &chunk) in bucket.chunks.iter().enumerate() {
            visit(&self.chunks[chunk as usize][..CHUNK.min(bucket.held - index * CHUNK)])?;
        }
        let (mut next, mut bytes, mut words) = (bucket.last_extent, Vec::new(), Vec::new());
        while let (Some(extent), Some(region)) = (next, &self.region) {
            bytes.resize(HEADER + extent.words as usize * size_of::<u64>(), 0);
            region.read_at(extent.offset, &mut bytes).map_err(StatsError::Scratch)?;
            let mut values = bytes.chunks_exact(8).map(|bytes| {
                u64::from_le_bytes(bytes.try_into().expect("chunks of eight bytes are eight bytes"))
            });
            let (offset, before) = (values.next().unwrap_or(0), values.next().unwrap_or(0));
            words.clear();
            words.extend(values);
            visit(&words)?;
            next = (before > 0).then_some(Extent { offset, words: before });
        }
        Ok(())
    }

    /// Gives back the memory of a bucket that is not read again.
    pub fn release(&mut self, number: u32) {
        let bucket = &mut self.buckets[self.places[number as usize] as usize];
        for chunk in bucket.chunks.drain(..) {
            self.chunks[chunk as usize] = Box::default();
        }
        bucket.held = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::MemoryScratch;

    #[test]
    fn every_word_comes_back_from_its_bucket_however_little_memory_there_is() {
        for memory in [1, 10 * CHUNK * 8, usize::MAX] {
            let mut buckets = Buckets::new(40, memory, &MemoryScratch);
            let mut expected = vec![Vec::new(); 40];
            for round in 0..300u64 {
                let number = (round * round % 31) as u32 + 3;
                let words: Vec<u64> = (0..round * 7 % 50).map(|i| round << 40 | i << 20 | i).collect();
                expected[number as usize].extend_from_slice(&words);
                buckets.append(number, &words).unwrap();
            }
            assert!(buckets.chunks.len() <= (memory / (CHUNK * 8)).max(1));
            for number in buckets.numbers() {
                let mut found = Vec::new();
                let expected = &mut expected[number as usize];
                let visit = |words: &[u64]| {
                    found.extend_from_slice(words);
                    Ok(())
                };
                buckets.read(number, visit).unwrap();
                assert_eq!(buckets.len(number), expected.len() as u64);
                let differing = expected.iter().fold(0, |bits, word| bits | (word ^ expected[0]));
                assert_eq!(buckets.differing(number), differing & !0xffff);
                found.sort_unstable();
                expected.sort_unstable();
                assert_eq!(&found, expected);
                expected.clear();
            }
            assert!(expected.iter().all(Vec::is_empty));
        }
    }
}
