//! How membership was drawn, which decides what counts as a fair comparison.

use std::fmt;
use std::str::FromStr;

use crate::error::StatsError;
use crate::membership::{Membership, half_of_each, inside};
use crate::order::{Order, are_pairs};

/// The design of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Design {
    scheme: Scheme,
    lost: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// Each unit is IN exactly one of the two shadows of a pair: blocks of two.
    Pairs,
    /// Within every block of `size` consecutive shadows each unit is IN exactly half, drawn for each unit
    /// alone.
    Blocks { size: usize },
    /// Each unit is IN exactly half of all shadows.
    Exact,
    /// Each unit is IN each shadow with probability one half.
    Bernoulli,
}

impl Design {
    /// Blocks of `size` consecutive shadows; within every block each unit is IN exactly half of them.
    pub fn blocks(size: usize) -> Self {
        Self { scheme: Scheme::Blocks { size }, lost: Vec::new() }
    }

    /// Pairs of shadows, the second trained on all that the first was not: each unit is IN exactly one of the
    /// two. They are neighbours, (0, 1), (2, 3) ..., or have half of the shadows between them, (0, S/2),
    /// (1, S/2 + 1) ...: the former where membership fits that, else the latter. Whatever goes by the order
    /// of shadows goes by that in which pairs are neighbours.
    pub fn pairs() -> Self {
        Self { scheme: Scheme::Pairs, lost: Vec::new() }
    }

    /// Each unit is IN exactly half of all shadows: one single block.
    pub fn exact() -> Self {
        Self { scheme: Scheme::Exact, lost: Vec::new() }
    }

    /// Each unit is IN each shadow by the toss of a fair coin. Given how many heads a unit got, which
    /// shadows they fell on is uniform: the test is the plain one.
    pub fn bernoulli() -> Self {
        Self { scheme: Scheme::Bernoulli, lost: Vec::new() }
    }

    /// The same design with some shadows lost (diverged, never reported). They are neither targets nor
    /// references.
    #[must_use]
    pub fn with_lost(mut self, lost: impl IntoIterator<Item = u32>) -> Self {
        self.lost.extend(lost);
        self.lost.sort_unstable();
        self.lost.dedup();
        self
    }

    /// Shadows per block, where membership was drawn in blocks.
    pub fn block(&self) -> Option<usize> {
        match self.scheme {
            Scheme::Blocks { size } => Some(size),
            Scheme::Pairs | Scheme::Exact | Scheme::Bernoulli => None,
        }
    }

    /// The lost shadows, ascending.
    pub fn lost(&self) -> &[u32] {
        &self.lost
    }

    /// Checks that membership follows the design: whole blocks, each unit IN exactly half of each.
    ///
    /// # Errors
    /// If it does not, with the first unit that tells.
    pub fn check(&self, membership: &Membership<'_>) -> Result<(), StatsError> {
        let order = self.order(membership);
        self.resolve(membership.shadows())?.check(&membership.in_order(order))
    }

    /// The order in which the blocks of this design are consecutive: of pairs that are neighbours, or fit
    /// neither way, as given.
    pub(crate) fn order(&self, membership: &Membership<'_>) -> Order {
        let fits = |order| self.scheme == Scheme::Pairs && pairs_fit(membership, order);
        if !fits(Order::Given) && fits(Order::Halves) { Order::Halves } else { Order::Given }
    }

    /// Resolves the design for a number of shadows.
    pub(crate) fn resolve(&self, shadows: usize) -> Result<Blocks, StatsError> {
        let size = match self.scheme {
            Scheme::Blocks { size } => size,
            Scheme::Pairs => 2,
            Scheme::Exact | Scheme::Bernoulli => shadows,
        };
        if self.scheme != Scheme::Bernoulli && (size < 2 || !size.is_multiple_of(2)) {
            return Err(StatsError::Inputs(format!(
                "blocks of {size} shadows cannot hold every unit exactly half; give an even size of at least 2"
            )));
        }
        if shadows == 0 || !shadows.is_multiple_of(size) {
            return Err(StatsError::Inputs(format!(
                "{shadows} shadows are not whole blocks of {size}; name a size that divides them"
            )));
        }
        let mut lost = vec![false; shadows];
        for &shadow in &self.lost {
            *lost.get_mut(shadow as usize).ok_or_else(|| {
                StatsError::Inputs(format!(
                    "shadow {shadow} is listed as lost, but there are {shadows} shadows"
                ))
            })? = true;
        }
        Ok(Blocks { shadows, size, halves: self.scheme != Scheme::Bernoulli, lost })
    }
}

/// Whether the shadows are complementary pairs in this order; units that no shadow was trained on aside.
pub(crate) fn pairs_fit(membership: &Membership<'_>, order: Order) -> bool {
    let (shadows, mut room) = (membership.shadows(), Vec::new());
    let ordered = membership.in_order(order);
    shadows.is_multiple_of(2)
        && (0..membership.units())
            .all(|unit| membership.is_reserved(unit) || are_pairs(ordered.column(unit, &mut room), shadows))
}

/// The name on the command line and in files, without the lost shadows.
impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Blocks { size } => write!(f, "blocks:{size}"),
            Scheme::Pairs => f.write_str("pairs"),
            Scheme::Exact => f.write_str("exact"),
            Scheme::Bernoulli => f.write_str("bernoulli"),
        }
    }
}

impl FromStr for Design {
    type Err = StatsError;

    fn from_str(name: &str) -> Result<Self, StatsError> {
        match (name, name.strip_prefix("blocks:").map(str::parse)) {
            ("pairs", _) => Ok(Self::pairs()),
            ("exact", _) => Ok(Self::exact()),
            ("bernoulli", _) => Ok(Self::bernoulli()),
            (_, Some(Ok(size))) => Ok(Self::blocks(size)),
            _ => Err(StatsError::Config(format!(
                "design '{name}' does not exist; choose among blocks:B with B shadows a block (such as \
                 blocks:16), pairs, exact, bernoulli"
            ))),
        }
    }
}

/// A design that fits a number of shadows.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    pub shadows: usize,
    pub size: usize,
    halves: bool,
    /// Per shadow.
    pub lost: Vec<bool>,
}

impl Blocks {
    /// Number of blocks.
    pub fn count(&self) -> usize {
        self.shadows / self.size
    }

    /// Whether the blocks are complementary pairs: of each pair of shadows every unit is IN one.
    pub fn paired(&self) -> bool {
        self.halves && self.size == 2
    }

    /// Checks that every unit is IN exactly half of every block, where the design promises it; a unit that
    /// no shadow was trained on was never meant to be.
    pub fn check(&self, membership: &Membership<'_>) -> Result<(), StatsError> {
        if !self.halves {
            return Ok(());
        }
        let mut room = Vec::new();
        for unit in 0..membership.units() {
            let column = membership.column(unit, &mut room);
            if half_of_each(column, self.shadows, self.size) {
                continue;
            }
            let uneven = (0..self.count())
                .map(|block| (block, inside(column, block * self.size..(block + 1) * self.size)))
                .find(|&(_, inside)| inside * 2 != self.size);
            if let Some((block, inside)) = uneven.filter(|_| !membership.is_reserved(unit)) {
                return Err(StatsError::Inputs(format!(
                    "unit {unit} is in {inside} of the {} shadows of block {block}, not in half of them: \
                     membership was not drawn so; name the design by which it was",
                    self.size
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in ["blocks:16", "pairs", "exact", "bernoulli"] {
            assert_eq!(name.parse::<Design>().unwrap().to_string(), name);
        }
        for name in ["blocks", "blocks:", "blocks:-2", "blocks:16x", "Pairs", ""] {
            assert!(name.parse::<Design>().unwrap_err().to_string().contains("blocks:B"), "{name}");
        }
    }
}
