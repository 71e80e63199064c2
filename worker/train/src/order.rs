//! The order in which a shadow sees its records.

use umbra_core::seed::{Purpose, Seed};

/// An endless walk over a shadow's member records: epoch after epoch a fresh permutation of the members in
/// canonical order, drawn from `(BatchOrder, [shadow, epoch])`. Batches are cut from the walk, so they are
/// always full and may cross the end of an epoch.
///
/// The position is (epoch, offset): the permutation is drawn again from it, never stored.
#[derive(Debug)]
pub struct BatchOrder {
    seed: Seed,
    shadow: u32,
    members: Vec<u32>,
    permutation: Vec<u32>,
    epoch: u64,
    offset: usize,
}

/// Where a walk stands: `offset` records of permutation `epoch` are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The permutation, from 0.
    pub epoch: u64,
    /// Records taken from it.
    pub offset: u64,
}

impl BatchOrder {
    /// A walk over nothing yet, with room for `most` members.
    pub fn with_capacity(seed: &Seed, most: usize) -> Self {
        Self {
            seed: seed.clone(),
            shadow: 0,
            members: Vec::with_capacity(most),
            permutation: Vec::with_capacity(most),
            epoch: 0,
            offset: 0,
        }
    }

    /// Goes to `position` of the walk of `shadow` over `members` (record indices in canonical order); false
    /// where there is no such position. Does not allocate within the capacity.
    pub fn start(&mut self, shadow: u32, members: impl Iterator<Item = u32>, position: Position) -> bool {
        self.members.clear();
        self.members.extend(members);
        self.shadow = shadow;
        self.epoch = position.epoch;
        self.offset = 0;
        if self.members.is_empty() || position.offset > self.members.len() as u64 {
            return false;
        }
        self.offset = position.offset as usize;
        self.permute();
        true
    }

    /// Where the walk stands.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, offset: self.offset as u64 }
    }

    /// Appends the next `count` records to `rows`.
    ///
    /// # Panics
    /// If the walk was not started.
    pub fn next_batch(&mut self, count: usize, rows: &mut Vec<u32>) {
        assert!(!self.members.is_empty(), "the walk has members");
        let mut missing = count;
        while missing > 0 {
            if self.offset == self.permutation.len() {
                self.epoch += 1;
                self.offset = 0;
                self.permute();
            }
            let take = missing.min(self.permutation.len() - self.offset);
            rows.extend_from_slice(&self.permutation[self.offset..][..take]);
            self.offset += take;
            missing -= take;
        }
    }

    fn permute(&mut self) {
        self.permutation.clear();
        self.permutation.extend_from_slice(&self.members);
        let indices = [u64::from(self.shadow), self.epoch];
        self.seed.stream(Purpose::BatchOrder, &indices).shuffle(&mut self.permutation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(seed: u64, shadow: u32, position: Position, batches: usize) -> Vec<u32> {
        let mut order = BatchOrder::with_capacity(&Seed::new(seed), 10);
        assert!(order.start(shadow, (0..10).map(|i| i * 2), position));
        let mut rows = Vec::new();
        (0..batches).for_each(|_| order.next_batch(4, &mut rows));
        rows
    }

    #[test]
    fn every_epoch_is_a_permutation_of_the_members_and_batches_cross_its_end() {
        let rows = walk(1, 3, Position::default(), 5);
        let mut seen: Vec<Vec<u32>> = rows.chunks(10).map(<[u32]>::to_vec).collect();
        assert_ne!(seen[0], seen[1]);
        for epoch in &mut seen {
            epoch.sort_unstable();
            assert_eq!(*epoch, (0..10).map(|i| i * 2).collect::<Vec<_>>());
        }
        assert_ne!(rows, walk(2, 3, Position::default(), 5));
        assert_ne!(rows, walk(1, 4, Position::default(), 5));
    }

    #[test]
    fn a_walk_goes_on_from_any_position() {
        let whole = walk(1, 3, Position::default(), 10);
        let mut order = BatchOrder::with_capacity(&Seed::new(1), 10);
        assert!(order.start(3, (0..10).map(|i| i * 2), Position::default()));
        let mut rows = Vec::new();
        for batch in 0..10 {
            let rest = walk(1, 3, order.position(), 10 - batch);
            assert_eq!(rest, whole[batch * 4..]);
            order.next_batch(4, &mut rows);
        }
        assert!(!order.start(3, 0..10, Position { epoch: 0, offset: 11 }));
        assert!(!order.start(3, 0..0, Position::default()));
    }
}
