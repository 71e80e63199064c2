//! One walk over sorted words, from the highest score down, that finds the strips of every curve at once.

use super::bootstrap::Tally;
use super::key::{Layout, tied};
use super::strip::{EMPTY, FULL, tie};
use crate::lanes::{Kernel, Vector, dispatch};

/// Words that are walked over together: whole vectors of them, and a block at most.
const TOGETHER: usize = 56;

/// Finds the strips of a piece of the curves.
pub(super) struct Walk<'a> {
    layout: Layout,
    /// Of all scores; `None` if it is not wanted.
    pooled: Option<Vec<u64>>,
    /// By curve, the block that has begun; none if only the pooled one is wanted.
    begun: Vec<u64>,
    /// Words of the strips of all curves, in the order of each: (curve, word).
    curves: Vec<(u32, u64)>,
    tally: Option<Tally<'a>>,
    /// Of equal scores, by curve, non-members and members; zero between ties.
    ties: Vec<[u32; 2]>,
    tying: Vec<u32>,
}

/// The strips of all curves.
#[derive(Default)]
pub(super) struct Strips {
    pub pooled: Vec<u64>,
    words: Vec<u64>,
    /// By curve.
    ends: Vec<u32>,
}

impl Strips {
    /// The strip of a curve.
    pub fn curve(&self, curve: usize) -> &[u64] {
        let begin = if curve > 0 { self.ends[curve - 1] } else { 0 };
        &self.words[begin as usize..self.ends[curve] as usize]
    }
}

impl<'a> Walk<'a> {
    /// Of so many curves of the layout: all, or none.
    pub fn new(layout: Layout, pooled: bool, curves: usize, tally: Option<Tally<'a>>) -> Self {
        Self {
            layout,
            pooled: pooled.then(Vec::new),
            begun: vec![EMPTY; curves],
            curves: Vec::new(),
            tally,
            ties: vec![[0; 2]; curves],
            tying: Vec::new(),
        }
    }

    /// Walks over the ascending words of one cell, all below those before.
    pub fn words(&mut self, words: &[u64]) {
        dispatch(Step { walk: self, words });
    }

    /// Scores that equal none of those beside them.
    #[inline(always)]
    fn distinct(&mut self, words: &[u64]) {
        if let Some(pooled) = &mut self.pooled {
            let bits = words.iter().enumerate().fold(0, |bits, (place, word)| bits | (word & 1) << place);
            pooled.push(bits | EMPTY << words.len());
        }
        if let Some(tally) = &mut self.tally {
            for &word in words.iter().rev() {
                tally.begin_vertex();
                tally.add(word);
            }
        }
        if self.begun.is_empty() {
            return;
        }
        let (begun, tags) = (&mut self.begun[..], self.layout.tags() - 1);
        for &word in words.iter().rev() {
            let tag = word as usize & tags;
            let block = begun[tag >> 1] << 1 | (tag & 1) as u64;
            begun[tag >> 1] = block;
            if block >> FULL > 0 {
                begun[tag >> 1] = EMPTY;
                self.curves.push(((tag >> 1) as u32, block));
            }
        }
    }

    /// Equal scores: one vertex of every curve that any of them belongs to.
    fn tie(&mut self, words: &[u64]) {
        let members = words.iter().map(|word| word & 1).sum::<u64>() as u32;
        if let Some(pooled) = &mut self.pooled {
            pooled.extend(tie(members, words.len() as u32 - members));
        }
        if let Some(tally) = &mut self.tally {
            tally.begin_vertex();
            words.iter().for_each(|&word| tally.add(word));
        }
        if self.begun.is_empty() {
            return;
        }
        for &word in words {
            let tag = self.layout.tag(word);
            let counts = &mut self.ties[tag >> 1];
            if *counts == [0; 2] {
                self.tying.push((tag >> 1) as u32);
            }
            counts[tag & 1] += 1;
        }
        for curve in self.tying.drain(..) {
            let [nonmembers, members] = std::mem::take(&mut self.ties[curve as usize]);
            let begun = std::mem::replace(&mut self.begun[curve as usize], EMPTY);
            if begun > EMPTY {
                self.curves.push((curve, begun));
            }
            self.curves.extend(tie(members, nonmembers).map(|word| (curve, word)));
        }
    }

    /// What was found.
    pub fn strips(mut self) -> Strips {
        let mut ends = vec![0u32; self.begun.len()];
        let begun = (0..).zip(&self.begun).filter(|(_, block)| **block > EMPTY);
        self.curves.extend(begun.map(|(curve, &block)| (curve, block)));
        self.curves.iter().for_each(|&(curve, _)| ends[curve as usize] += 1);
        let mut next = 0;
        for end in &mut ends {
            (*end, next) = (next, next + *end);
        }
        let mut words = vec![0; self.curves.len()];
        for (curve, word) in self.curves {
            words[ends[curve as usize] as usize] = word;
            ends[curve as usize] += 1;
        }
        Strips { pooled: self.pooled.unwrap_or_default(), words, ends }
    }
}

struct Step<'w, 'a, 'b> {
    walk: &'w mut Walk<'a>,
    words: &'b [u64],
}

impl Kernel for Step<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { walk, words } = self;
        let mut rest = words;
        while !rest.is_empty() {
            let (below, together) = rest.split_at(rest.len().saturating_sub(TOGETHER));
            // Each word with the one below it.
            let compared = &rest[below.len().saturating_sub(1)..];
            let ties = compared.iter().zip(&compared[1..]).map(|(&a, &b)| u32::from(tied(a, b))).sum::<u32>();
            if ties == 0 {
                walk.distinct(together);
                rest = below;
                continue;
            }
            // Equal scores are taken together, wherever they end.
            while rest.len() > below.len() {
                let last = rest[rest.len() - 1];
                let run = rest.iter().rev().take_while(|&&word| tied(word, last)).count();
                let (lower, run) = rest.split_at(rest.len() - run);
                if run.len() > 1 {
                    walk.tie(run)
                } else {
                    walk.distinct(run)
                }
                rest = lower;
            }
        }
    }
}
