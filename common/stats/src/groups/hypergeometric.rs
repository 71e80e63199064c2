//! Exact draws from the hypergeometric distribution.

use umbra_core::seed::Stream;

use crate::special::stirling_error;

/// Draws one by one up to here; by inversion beyond.
const ONE_BY_ONE: u32 = 32;

/// How many of `drawn` items are marked, drawn at random and without replacement from `total`, of which
/// `marked` are.
pub(super) fn hypergeometric(stream: &mut Stream, total: u32, marked: u32, drawn: u32) -> u32 {
    // The distribution is symmetric in marked and drawn, and mirrored where either is complemented.
    let (few_drawn, few_marked) = (drawn.min(total - drawn), marked.min(total - marked));
    let (small, large) = (few_drawn.min(few_marked), few_drawn.max(few_marked));
    let both = match small {
        ..=ONE_BY_ONE => one_by_one(stream, total, large, small),
        _ => by_inversion(stream, total, large, small),
    };
    let of_drawn = if few_marked == marked { both } else { few_drawn - both };
    if few_drawn == drawn { of_drawn } else { marked - of_drawn }
}

/// In integers alone.
fn one_by_one(stream: &mut Stream, total: u32, marked: u32, drawn: u32) -> u32 {
    let mut left = marked;
    for i in 0..drawn {
        left -= u32::from(stream.below_u32(total - i) < left);
    }
    marked - left
}

/// Inversion, outwards from the mode by the ratios of neighbouring probabilities. `marked` and `drawn` are
/// more than [`ONE_BY_ONE`] and at most half of `total`.
fn by_inversion(stream: &mut Stream, total: u32, marked: u32, drawn: u32) -> u32 {
    let (n, m, k) = (u64::from(total), u64::from(marked), u64::from(drawn));
    let wide = u128::from(m + 1) * u128::from(k + 1) / u128::from(n + 2);
    let start = (wide as u64).max(1);
    let mut left = stream.uniform_f64();
    let (mut up, mut down) = (start as f64, start as f64);
    let mut rising = probability(n, m, k, start);
    let mut falling = rising;
    left -= rising;
    if left < 0.0 {
        return start as u32;
    }
    let (m, k, neither) = (m as f64, k as f64, (n - m - k) as f64);
    while rising > 0.0 || falling > 0.0 {
        rising *= (m - up) * (k - up) / ((up + 1.0) * (neither + up + 1.0));
        up += 1.0;
        left -= rising;
        if left < 0.0 {
            return up as u32;
        }
        falling *= down * (neither + down) / ((m - down + 1.0) * (k - down + 1.0));
        down -= 1.0;
        left -= falling;
        if left < 0.0 {
            return down as u32;
        }
    }
    start as u32 // The probabilities summed to a last digit less than one.
}

/// The probability of `both`, at which no cell of the two-by-two table is empty: Stirling's formula for the
/// factorials, its leading terms collected into the deviance from the expected table, so that no large
/// numbers cancel (after Loader 2000, "Fast and accurate computation of binomial probabilities").
fn probability(total: u64, marked: u64, drawn: u64, both: u64) -> f64 {
    let margins = [marked, total - marked, drawn, total - drawn];
    let table = [both, marked - both, drawn - both, total - marked - drawn + both];
    let expected = [(0, 2), (0, 3), (1, 2), (1, 3)]
        .map(|(row, column): (usize, usize)| margins[row] as f64 * margins[column] as f64 / total as f64);
    // Every cell is as far from its expectation, up or down.
    let off =
        (i128::from(both) * i128::from(total) - i128::from(marked) * i128::from(drawn)) as f64 / total as f64;
    let mut exponent = -stirling_error(total);
    let mut scale = 1.0 / (2.0 * std::f64::consts::PI * total as f64);
    for ((&count, expected), sign) in table.iter().zip(expected).zip([1.0, -1.0, -1.0, 1.0]) {
        let off = sign * off;
        // count ln(count / expected) - (count - expected).
        exponent -= count as f64 * libm::log1p(off / expected) - off + stirling_error(count);
    }
    for (margin, count) in margins.into_iter().zip(table) {
        exponent += stirling_error(margin);
        scale *= margin as f64 / count as f64;
    }
    scale.sqrt() * libm::exp(exponent)
}

#[cfg(test)]
mod tests {
    use umbra_core::seed::{Purpose, Seed};

    use super::*;

    /// Bins (first number of every bin but the first) and their probabilities by scipy 1.17.1,
    /// stats.hypergeom(total, marked, drawn).cdf.
    struct Case {
        parameters: (u32, u32, u32),
        bins: &'static [u32],
        probabilities: &'static [f64],
    }

    #[test]
    fn draws_follow_the_distribution_of_scipy() {
        let mut stream = Seed::new(3).stream(Purpose::Simulation, &[]);
        for case in CASES {
            let (total, marked, drawn) = case.parameters;
            let n = 40_000;
            let mut counts = vec![0u32; case.probabilities.len()];
            for _ in 0..n {
                let x = hypergeometric(&mut stream, total, marked, drawn);
                counts[case.bins.partition_point(|&bin| bin <= x)] += 1;
            }
            let chi2: f64 = counts
                .iter()
                .zip(case.probabilities)
                .map(|(&count, p)| (f64::from(count) - n as f64 * p).powi(2) / (n as f64 * p))
                .sum();
            // Wilson and Hilferty: the cube root is normal; four standard deviations.
            let df = case.bins.len() as f64;
            let z = (libm::cbrt(chi2 / df) - 1.0 + 2.0 / (9.0 * df)) / (2.0 / (9.0 * df)).sqrt();
            assert!(z < 4.0, "{:?}: chi2 {chi2} on {df}: {counts:?}", case.parameters);
        }
    }

    /// By mpmath 1.3.0, with 60 digits.
    #[test]
    fn probabilities_are_exact_to_the_last_digits() {
        for ((total, marked, drawn, both), right) in [
            ((1_000, 300, 33, 10), 0.152_128_249_865_413_26),
            ((100, 40, 35, 1), 2.5527627707744e-09),
            ((100, 50, 50, 25), 0.158_384_661_161_330_43),
            ((5_000, 900, 700, 126), 0.042_292_490_091_163_68),
            ((10_000_000, 1_000_000, 40, 4), 0.205_887_455_216_451_94),
            ((10_000_000, 600_000, 2_000_000, 120_000), 0.001_328_037_090_758_581_9),
            ((4_000_000_000, 2_000_000_000, 1_500_000_000, 750_000_100), 2.6058244714352057e-05),
        ] {
            let found = probability(total, marked, drawn, both);
            assert!((found / right - 1.0).abs() < 1e-13, "{found} is not {right}");
        }
    }

    #[test]
    fn what_is_certain_is_drawn_without_fail() {
        let mut stream = Seed::new(4).stream(Purpose::Simulation, &[]);
        let mut draw = |total, marked, drawn| hypergeometric(&mut stream, total, marked, drawn);
        assert_eq!((draw(9, 9, 4), draw(9, 0, 4), draw(9, 4, 9), draw(9, 4, 0)), (4, 0, 4, 0));
        assert_eq!((draw(500, 500, 77), draw(500, 123, 500), draw(0, 0, 0)), (77, 123, 0));
        // 90 of 100 drawn, 95 marked: at least 85.
        assert!((0..200).all(|_| (85..=90).contains(&draw(100, 95, 90))));
    }

    const CASES: &[Case] = &[
        Case {
            parameters: (30, 12, 5),
            bins: &[1, 2, 3, 4, 5],
            probabilities: &[
                0.060_123_784_262,
                0.257_673_361_122,
                0.377_920_929_645,
                0.236_200_581_028,
                0.062_523_683_213,
                0.00555766073,
            ],
        },
        Case {
            parameters: (60, 50, 20),
            bins: &[15, 16, 17, 18, 19, 20],
            probabilities: &[
                0.05853691464,
                0.135_312_522_243,
                0.246_663_452_005,
                0.281_901_088_006,
                0.193_806_998_004,
                0.072_535_952_469,
                0.011_243_072_633,
            ],
        },
        Case {
            parameters: (1_000, 300, 32),
            bins: &[6, 7, 8, 9, 10, 11, 12, 13, 14, 16],
            probabilities: &[
                0.04836696293,
                0.060_845_094_619,
                0.098_433_841_962,
                0.13332616353,
                0.153_348_064_011,
                0.151_380_323_367,
                0.129_308_670_917,
                0.096_173_323_994,
                0.062_572_952_243,
                0.053_693_416_613,
                0.012_551_185_813,
            ],
        },
        Case {
            parameters: (1_000, 300, 33),
            bins: &[6, 8, 9, 10, 11, 12, 13, 14, 16],
            probabilities: &[
                0.038_952_455_636,
                0.138_898_902_868,
                0.122_902_481_654,
                0.147_466_817_238,
                0.152_128_249_865,
                0.136_054_629_472,
                0.106_165_357_656,
                0.072_634_398_541,
                0.066_958_563_852,
                0.017_838_143_217,
            ],
        },
        Case {
            parameters: (200, 90, 100),
            bins: &[39, 41, 43, 44, 45, 46, 47, 48, 49, 51, 53],
            probabilities: &[
                0.032_181_442_752,
                0.068_172_357_316,
                0.138_341_689_829,
                0.096_269_790_581,
                0.108_546_619_935,
                0.112_976_199_173,
                0.108_546_619_935,
                0.096_269_790_581,
                0.078_807_059_172,
                0.101_030_268_226,
                0.042_489_130_244,
                0.016_369_032_256,
            ],
        },
        Case {
            parameters: (200, 150, 120),
            bins: &[85, 87, 88, 89, 90, 91, 92, 93, 94, 95, 97],
            probabilities: &[
                0.032_023_960_836,
                0.089_151_612_094,
                0.081_731_503_073,
                0.107_272_597_784,
                0.12585974808,
                0.132_222_657_566,
                0.124_542_534_599,
                0.105_282_745_405,
                0.079_934_164_814,
                0.054_529_556_582,
                0.051_845_171_744,
                0.015_603_747_424,
            ],
        },
        Case {
            parameters: (5_000, 4_900, 700),
            bins: &[680, 683, 684, 685, 686, 687, 688, 689, 690, 691, 694],
            probabilities: &[
                0.034_173_421_353,
                0.119_820_244_125,
                0.074_515_161_932,
                0.09297405743,
                0.107_714_178_068,
                0.115_435_434_747,
                0.11394249374,
                0.103_074_069_101,
                0.084_959_080_065,
                0.063_371_812_362,
                0.080_860_933_987,
                0.009_159_113_089,
            ],
        },
        Case {
            parameters: (10_000_000, 1_000_000, 40),
            bins: &[2, 3, 4, 5, 6, 7, 9],
            probabilities: &[
                0.080_473_283_129,
                0.142_334_269_675,
                0.200_322_728_722,
                0.20588745673,
                0.164_709_945_779,
                0.106_756_315_608,
                0.084_020_887_426,
                0.015_495_112_929,
            ],
        },
        Case {
            parameters: (10_000_000, 600_000, 2_000_000),
            bins: &[
                119_384, 119_616, 119_726, 119_808, 119_877, 119_940, 120_001, 120_062, 120_125, 120_194,
                120_276, 120_386, 120_618,
            ],
            probabilities: &[
                0.020_026_157_944,
                0.080_220_276_173,
                0.080_181_839_957,
                0.080_449_989_963,
                0.079_703_695_946,
                0.079_721_502_335,
                0.080_477_423_757,
                0.080_436_111_883,
                0.079_598_695_536,
                0.079_498_082_836,
                0.080_156_284_676,
                0.079_801_602_861,
                0.079_772_026_581,
                0.019_956_309_552,
            ],
        },
    ];
}
