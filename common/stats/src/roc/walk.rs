//! One walk over sorted words, from the highest score down, that reads every curve at once.

use super::bootstrap::Tally;
use super::key::{Layout, tied};
use super::reader::{Crossing, Piece};
use super::thin::Thinner;

/// Reads a piece of the curves.
pub(super) struct Walk<'a> {
    layout: Layout,
    /// The curve of all scores, with its drawing.
    pub pooled: Option<(Piece, Thinner<'a>)>,
    /// A curve per tag (without group and side); none if only the pooled one is wanted.
    pub curves: Vec<Piece>,
    pub tally: Option<Tally<'a>>,
    pub pooled_crossings: Vec<Crossing>,
    /// (curve, crossing)
    pub crossings: Vec<(u32, Crossing)>,
    ties: Ties,
}

/// Counts of equal scores.
#[derive(Default)]
struct Ties {
    /// By curve, non-members and members; zero between runs.
    counts: Vec<[u32; 2]>,
    touched: Vec<u32>,
}

impl<'a> Walk<'a> {
    pub fn new(
        layout: Layout,
        pooled: Option<(Piece, Thinner<'a>)>,
        curves: Vec<Piece>,
        tally: Option<Tally<'a>>,
    ) -> Self {
        let ties = Ties { counts: vec![[0; 2]; curves.len()], touched: Vec::new() };
        Self { layout, pooled, curves, tally, pooled_crossings: Vec::new(), crossings: Vec::new(), ties }
    }

    /// Walks over ascending words, of one bucket, all below those before.
    pub fn words(&mut self, words: &[u64]) {
        match (self.curves.is_empty(), self.tally.is_some()) {
            (true, false) => self.each::<false, false>(words),
            (true, true) => self.each::<false, true>(words),
            (false, false) => self.each::<true, false>(words),
            (false, true) => self.each::<true, true>(words),
        }
    }

    fn each<const CURVES: bool, const TALLY: bool>(&mut self, words: &[u64]) {
        let mut rest = words;
        while let Some((&word, below)) = rest.split_last() {
            if below.last().is_some_and(|&next| tied(next, word)) {
                let run = rest.iter().rev().take_while(|&&other| tied(other, word)).count();
                let (below, run) = rest.split_at(rest.len() - run);
                self.run(run);
                rest = below;
                continue;
            }
            rest = below;
            let member = word & 1;
            if CURVES {
                let curve = self.layout.tag(word) >> 1;
                let crossings = &mut self.crossings;
                self.curves[curve].single(member, |crossing| crossings.push((curve as u32, crossing)));
            }
            if TALLY && let Some(tally) = &mut self.tally {
                tally.begin_vertex();
                tally.add(word);
            }
            if let Some((piece, thinner)) = &mut self.pooled {
                let before = piece.so_far();
                let crossings = &mut self.pooled_crossings;
                piece.single(member, |crossing| crossings.push(crossing));
                thinner.step(before, piece.so_far());
            }
        }
    }

    /// Equal scores: one vertex of every curve that any of them belongs to.
    fn run(&mut self, words: &[u64]) {
        if let Some((piece, thinner)) = &mut self.pooled {
            let before = piece.so_far();
            let members = words.iter().map(|word| word & 1).sum::<u64>();
            let crossings = &mut self.pooled_crossings;
            piece.vertex(members, words.len() as u64 - members, |crossing| crossings.push(crossing));
            thinner.step(before, piece.so_far());
        }
        if let Some(tally) = &mut self.tally {
            tally.begin_vertex();
            words.iter().for_each(|&word| tally.add(word));
        }
        if self.curves.is_empty() {
            return;
        }
        for &word in words {
            let tag = self.layout.tag(word);
            let counts = &mut self.ties.counts[tag >> 1];
            if *counts == [0; 2] {
                self.ties.touched.push((tag >> 1) as u32);
            }
            counts[tag & 1] += 1;
        }
        for curve in self.ties.touched.drain(..) {
            let [nonmembers, members] = std::mem::take(&mut self.ties.counts[curve as usize]);
            let crossings = &mut self.crossings;
            self.curves[curve as usize].vertex(members.into(), nonmembers.into(), |crossing| {
                crossings.push((curve, crossing));
            });
        }
    }
}
