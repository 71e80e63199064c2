//! The design that a membership matrix follows, and what in it would void the patients' p values.

use crate::design::{Design, pairs_fit};
use crate::membership::{Membership, half_of_each, inside};
use crate::order::Order;

/// A design that was recognised, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The design.
    pub design: Design,
    /// One sentence: what it is and how it shows.
    pub explanation: String,
    /// What to know before relying on p values; usually nothing.
    pub warnings: Vec<String>,
}

/// Chances that a finer design fits by accident above which it is said so.
const ACCIDENT: f64 = 1e-3;

impl Design {
    /// Recognises the design of a membership matrix: complementary pairs, of neighbours or else of shadows
    /// with half of all between them; the smallest blocks within which every unit is IN exactly half;
    /// exactly half of all shadows; or else a coin for every unit and shadow.
    ///
    /// The smallest blocks are the safe choice: given that columns are even within smaller blocks too, they
    /// are uniform among such columns, so that a test within the smaller blocks is exact in any case.
    /// Units that no shadow was trained on say nothing about the design and are passed over.
    pub fn detect(membership: &Membership<'_>) -> Detected {
        let shadows = membership.shadows();
        let mut warnings = Vec::new();
        let sizes = (2..=shadows).step_by(2).filter(|size| shadows.is_multiple_of(*size));
        let any = columns(membership).next().is_some();
        let even: Vec<usize> = sizes.filter(|&size| any && is_even(membership, size)).collect();
        // Who is even in pairs of two halves is even in all.
        let halves = even.first().is_some_and(|&size| size > 2) && pairs_fit(membership, Order::Halves);
        let (design, explanation) = match even.first() {
            Some(2) => (
                Design::pairs(),
                "pairs of neighbouring shadows, k and k + 1: every unit is in exactly one of the two"
                    .to_owned(),
            ),
            _ if halves => (
                Design::pairs(),
                format!(
                    "pairs of shadows k and k + {}: every unit is in exactly one of the two",
                    shadows / 2
                ),
            ),
            Some(&size) if size < shadows => (
                Design::blocks(size),
                format!("blocks of {size} shadows: every unit is in exactly half of each block"),
            ),
            Some(_) => (
                Design::exact(),
                format!("exact halves: every unit is in {} of the {shadows} shadows", shadows / 2),
            ),
            None => (Design::bernoulli(), coins(membership)),
        };
        let units = columns(membership).count();
        let (finer, coarser, found) = match even[..] {
            [coarser, ..] if halves => (2, coarser, format!("pairs k and k + {}", shadows / 2)),
            [size, coarser, ..] => (size, coarser, format!("blocks of {size}")),
            _ => (0, 0, String::new()),
        };
        // Whether pairs are of neighbours or not, there are as many ways to be in one of each two.
        let chance = if coarser > 0 { accident(finer, coarser, shadows, units) } else { 0.0 };
        if chance > ACCIDENT {
            warnings.push(format!(
                "with so few units, blocks of {coarser} look like {found} with probability {chance:.2}; name \
                 the design to be sure"
            ));
        }
        match even.first() {
            Some(&size) if halves && size < shadows => warnings.push(format!(
                "of the pairs, the first shadows alone are even within blocks of {size}, so that no coin was \
                 tossed for each pair; patients' p values are then somewhat too small"
            )),
            Some(2) => {}
            _ if halves => {}
            _ => warnings.extend(apart(membership)),
        }
        warnings.extend(fixed_sizes(membership));
        Detected { design, explanation, warnings }
    }
}

/// The columns of the units that some shadow was trained on.
fn columns<'m>(membership: &'m Membership<'_>) -> impl Iterator<Item = (usize, &'m [u64])> {
    (0..membership.units())
        .map(|unit| (unit, membership.words(unit)))
        .filter(|(_, column)| column.iter().any(|&bits| bits != 0))
}

/// Whether every unit is IN exactly half of every block of `size` shadows.
fn is_even(membership: &Membership<'_>, size: usize) -> bool {
    columns(membership).all(|(_, column)| half_of_each(column, membership.shadows(), size))
}

/// The sentence about independent coins.
fn coins(membership: &Membership<'_>) -> String {
    let shadows = membership.shadows();
    let counts = || columns(membership).map(|(_, column)| inside(column, 0..shadows));
    match counts().min().zip(counts().max()) {
        Some((least, most)) if least == most => format!(
            "a coin for every unit and shadow: every unit is in {least} of the {shadows} shadows, not in half"
        ),
        Some((least, most)) => format!(
            "a coin for every unit and shadow: units are in {least} to {most} of the {shadows} shadows"
        ),
        None => "a coin for every unit and shadow: no shadow was trained on any unit".to_owned(),
    }
}

/// The probability that columns drawn even within blocks of `coarser` shadows are all even within blocks
/// of `size`: (C(b, b/2)^(B/b) / C(B, B/2))^(S/B) for every unit.
fn accident(size: usize, coarser: usize, shadows: usize, units: usize) -> f64 {
    let ln_halves =
        |n: usize| -> f64 { (1..=n / 2).map(|i| libm::log((n / 2 + i) as f64) - libm::log(i as f64)).sum() };
    let per_block = (coarser / size) as f64 * ln_halves(size) - ln_halves(coarser);
    libm::exp(per_block * (shadows / coarser) as f64 * units as f64)
}

/// A number for every unit, all bits of which look random (Steele, Lea and Flood 2014, splitmix64).
fn mark(unit: usize) -> u64 {
    let mut z = (unit as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Shadows that are complements of one another but lie neither way that pairs may. Complements are found by
/// a fingerprint: those of the two halves of a pair add up to that of all units.
fn apart(membership: &Membership<'_>) -> Option<String> {
    let shadows = membership.shadows();
    let mut prints = vec![0u64; shadows];
    let (mut all, mut units) = (0u64, 0);
    for (unit, column) in columns(membership) {
        let mark = mark(unit);
        all ^= mark;
        units += 1;
        for (prints, &bits) in prints.chunks_mut(64).zip(column) {
            for (shift, print) in prints.iter_mut().enumerate() {
                *print ^= mark & (bits >> shift & 1).wrapping_neg();
            }
        }
    }
    let partner = |shadow: usize| (0..shadows).find(|&s| s != shadow && prints[s] == prints[shadow] ^ all);
    let is_in = |column: &[u64], shadow: usize| column[shadow / 64] >> (shadow % 64) & 1 == 1;
    let complementary =
        |a: usize, b: usize| columns(membership).all(|(_, column)| is_in(column, a) != is_in(column, b));
    let pairs: Vec<(usize, usize)> = (0..shadows)
        .filter_map(|shadow| Some((shadow, partner(shadow)?)))
        .filter(|&(a, b)| a < b && complementary(a, b))
        .collect();
    let &(a, b) = pairs.first().filter(|_| units > 1)?;
    Some(format!(
        "{} pairs of shadows are trained on complementary units, such as {a} and {b}; p values that do not \
         pair them are wrong (several times too many patients are detected): give the shadows in an order \
         that puts the two of a pair side by side, or one half of all apart",
        pairs.len()
    ))
}

/// Shadows that hold exactly as many units each.
fn fixed_sizes(membership: &Membership<'_>) -> Option<String> {
    let shadows = membership.shadows();
    let mut held = vec![0u64; shadows];
    let mut units = 0;
    for (_, column) in columns(membership) {
        units += 1;
        for (held, &bits) in held.chunks_mut(64).zip(column) {
            held.iter_mut().enumerate().for_each(|(shift, held)| *held += bits >> shift & 1);
        }
    }
    let first = *held.first()?;
    // Among fewer units or shadows equal numbers are nothing special.
    let special = units >= 16 && shadows >= 4;
    (special && held.iter().all(|&held| held == first)).then(|| {
        format!(
            "every shadow holds exactly {first} units, so units were not drawn independently of one another; \
             patients' p values are then somewhat too small (1.3 times too many below .001 at 256 shadows)"
        )
    })
}

#[cfg(test)]
mod tests {
    use umbra_core::seed::{Purpose, Seed, Stream};

    use super::*;
    use crate::membership::MembershipMatrix;
    use crate::testing::blocked;

    fn stream() -> Stream {
        Seed::new(4).stream(Purpose::Membership, &[])
    }

    #[track_caller]
    fn finds(matrix: &MembershipMatrix, design: &str, warning: Option<&str>) -> Detected {
        let found = Design::detect(&matrix.view());
        assert_eq!(found.design.to_string(), design, "{found:?}");
        match warning {
            Some(part) => assert!(found.warnings.iter().any(|warning| warning.contains(part)), "{found:?}"),
            None => assert!(found.warnings.is_empty(), "{found:?}"),
        }
        found.design.check(&matrix.view()).unwrap();
        found
    }

    #[test]
    fn each_design_is_recognised() {
        let mut stream = stream();
        finds(&blocked(64, 300, 16, &mut stream), "blocks:16", None);
        finds(&blocked(48, 300, 4, &mut stream), "blocks:4", None);
        finds(&blocked(64, 300, 2, &mut stream), "pairs", None);
        finds(&blocked(64, 300, 64, &mut stream), "exact", None);
        let toss: Vec<bool> = (0..64 * 300).map(|_| stream.uniform_f64() < 0.5).collect();
        let coins = MembershipMatrix::from_fn(64, 300, |shadow, unit| toss[unit * 64 + shadow]);
        assert!(finds(&coins, "bernoulli", None).explanation.contains("of the 64 shadows"));
        finds(&MembershipMatrix::from_fn(8, 5, |_, _| false), "bernoulli", None);
        finds(&MembershipMatrix::from_fn(7, 50, |shadow, unit| (unit >> shadow) & 1 == 1), "bernoulli", None);
    }

    #[test]
    fn units_that_nobody_trains_on_change_nothing() {
        let even = blocked(32, 200, 8, &mut stream());
        let view = even.view();
        let with = MembershipMatrix::from_fn(32, 260, |shadow, unit| unit < 200 && view.is_in(shadow, unit));
        finds(&with, "blocks:8", None);
    }

    /// Pairs by one coin each; `place` says where the first (0) and the second (1) of a pair lie.
    fn pairs(shadows: usize, place: impl Fn(usize) -> (usize, usize)) -> MembershipMatrix {
        let mut stream = stream();
        let toss: Vec<bool> = (0..shadows / 2 * 300).map(|_| stream.uniform_f64() < 0.5).collect();
        MembershipMatrix::from_fn(shadows, 300, |shadow, unit| {
            let (pair, side) = place(shadow);
            toss[unit * shadows / 2 + pair] == (side == 0)
        })
    }

    #[test]
    fn pairs_may_be_neighbours_or_half_of_all_apart() {
        for shadows in [6, 32, 130] {
            let found = finds(&pairs(shadows, |shadow| (shadow / 2, shadow % 2)), "pairs", None);
            assert!(found.explanation.contains("k and k + 1:"), "{found:?}");
            let half = shadows / 2;
            let found = finds(&pairs(shadows, |shadow| (shadow % half, shadow / half)), "pairs", None);
            assert!(found.explanation.contains(&format!("k and k + {half}:")), "{found:?}");
        }
        // Where they fit both ways, they are neighbours.
        let both = MembershipMatrix::from_fn(6, 301, |shadow, unit| (shadow + unit) % 2 == 0);
        assert!(finds(&both, "pairs", None).explanation.contains("k and k + 1:"));
        let even = blocked(16, 300, 8, &mut stream());
        let halves = MembershipMatrix::from_fn(32, 300, |shadow, unit| {
            even.view().is_in(shadow % 16, unit) == (shadow < 16)
        });
        finds(&halves, "pairs", Some("the first shadows alone are even within blocks of 8"));
    }

    #[test]
    fn pairs_that_lie_otherwise_are_named() {
        finds(
            &pairs(32, |shadow| (shadow.min(31 - shadow), shadow / 16)),
            "exact",
            Some("16 pairs of shadows are trained on complementary units, such as 0 and 31"),
        );
    }

    #[test]
    fn masks_of_a_fixed_size_are_named() {
        let mut stream = stream();
        let mut rows: Vec<Vec<bool>> = vec![(0..300).map(|unit| unit < 150).collect(); 16];
        rows.iter_mut().for_each(|row| stream.shuffle(row));
        let fixed = MembershipMatrix::from_fn(16, 300, |shadow, unit| rows[shadow][unit]);
        finds(&fixed, "bernoulli", Some("exactly 150 units"));
        let paired =
            MembershipMatrix::from_fn(32, 300, |shadow, unit| rows[shadow / 2][unit] == (shadow % 2 == 0));
        finds(&paired, "pairs", Some("exactly 150 units"));
    }

    #[test]
    fn few_units_may_deceive() {
        // One unit, IN in 1 of each 2 shadows: of the 6 even columns of 4 shadows 4 are.
        let one = MembershipMatrix::from_fn(4, 1, |shadow, _| shadow % 2 == 0);
        finds(&one, "pairs", Some("blocks of 4 look like blocks of 2 with probability 0.67"));
    }
}
