//! Which shadows are compared with each other, and in what order they may be learned from.

use std::ops::Range;

use crate::design::Blocks;

/// Weights over a patient's records are fitted anew after this many shadows at least.
const REFIT: usize = 16;

/// The most shadows in one stratum: what is more is cut, and each part compared within itself, which
/// stays exact given how many of its shadows are IN.
const WIDEST: usize = 1024;

/// The strata of the test. In every one of them, given how many shadows are IN, each choice of them is
/// equally likely under the null.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub shadows: usize,
    /// Whether shadows, in order, are complementary pairs (0, 1), (2, 3), ..., compared by the signed-rank test;
    /// otherwise IN and OUT are compared by rank sums.
    pub paired: bool,
    /// The strata of a patient with one record, whose signals are on one scale throughout: the blocks;
    /// or all shadows, where the design knows no blocks or the blocks are pairs.
    pub whole: Vec<Range<usize>>,
    /// The strata of a patient with several records, none of which crosses a group.
    pub parts: Vec<Range<usize>>,
    /// Consecutive shadows, whole blocks, that are scored with weights fitted on the groups before.
    pub groups: Vec<Range<usize>>,
}

impl Layout {
    pub fn new(blocks: &Blocks) -> Self {
        let shadows = blocks.shadows;
        let paired = blocks.paired();
        let plain = blocks.count() == 1;
        // Without blocks any shadows are as good as others, given how many of them are IN.
        let unit = if plain { 1 } else { blocks.size };
        let groups = cut(shadows, unit * REFIT.div_ceil(unit));
        let (whole, parts) = if paired || plain {
            (narrow(0..shadows), groups.clone())
        } else {
            let strata: Vec<Range<usize>> = cut(shadows, blocks.size).into_iter().flat_map(narrow).collect();
            (strata.clone(), strata)
        };
        Self { shadows, paired, whole, parts, groups }
    }
}

impl Layout {
    /// (IN, OUT) per stratum of a patient with one record of which every shadow that was not lost gives a
    /// signal; with lost shadows taken evenly from both sides, as nobody's column is known.
    pub fn typical_strata(&self, lost: &[bool]) -> Vec<(u32, u32)> {
        let kept = |shadows: Range<usize>| lost[shadows].iter().filter(|&&lost| !lost).count() as u32;
        let typical = |stratum: &Range<usize>| {
            if self.paired {
                let pairs =
                    stratum.clone().step_by(2).filter(|&first| kept(first..first + 2) == 2).count() as u32;
                return (pairs, pairs);
            }
            let kept = kept(stratum.clone());
            (kept / 2, kept - kept / 2)
        };
        self.whole.iter().map(typical).collect()
    }
}

/// 0..len in pieces of `size`; the last takes what is left over.
fn cut(len: usize, size: usize) -> Vec<Range<usize>> {
    let pieces = (len / size).max(1);
    (0..pieces).map(|i| i * size..if i + 1 == pieces { len } else { (i + 1) * size }).collect()
}

/// `range` in as few pieces of at most [`WIDEST`] as there can be, of even lengths as long as its own is.
fn narrow(range: Range<usize>) -> Vec<Range<usize>> {
    let pieces = range.len().div_ceil(WIDEST).max(1);
    let bound = |i: usize| match i == pieces {
        true => range.end,
        false => range.start + i * range.len() / pieces / 2 * 2,
    };
    (0..pieces).map(|i| bound(i)..bound(i + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;

    fn layout(design: &Design, shadows: usize) -> Layout {
        Layout::new(&design.resolve(shadows).unwrap())
    }

    #[test]
    fn strata_follow_the_design() {
        let blocks = layout(&Design::blocks(16), 64);
        assert_eq!(blocks.whole, [0..16, 16..32, 32..48, 48..64]);
        assert!(blocks.parts == blocks.whole && blocks.groups == blocks.whole && !blocks.paired);
        // Small blocks stay strata, and are learned from two at a time; the last group takes the odd one.
        let small = layout(&Design::blocks(8), 40);
        assert_eq!((small.whole.len(), &small.groups[..]), (5, &[0..16, 16..40][..]));
        let pairs = layout(&Design::pairs(), 48);
        assert!(pairs.paired && pairs.whole == cut(48, 48));
        assert_eq!(pairs.parts, [0..16, 16..32, 32..48]);
        let plain = layout(&Design::bernoulli(), 40);
        assert_eq!((plain.whole, &plain.parts[..]), (cut(40, 40), &[0..16, 16..40][..]));
        assert_eq!(layout(&Design::exact(), 2500).whole, [0..832, 832..1666, 1666..2500]);
    }
}
