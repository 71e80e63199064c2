//! Exact draws from the hypergeometric distribution.

use umbra_core::seed::Stream;

/// Draws one by one up to here; by inversion beyond.
const ONE_BY_ONE: u64 = 32;

/// Where weights relative to the mode's are nothing any more: all that follows sums to less than the last
/// bit of a uniform number.
const NOTHING: f64 = 1e-19;

/// Draws hypergeometric numbers; keeps its scratch space.
#[derive(Default)]
pub(super) struct Hypergeometric {
    /// The weights from the mode upwards, and from below it downwards.
    up: Vec<f64>,
    down: Vec<f64>,
}

impl Hypergeometric {
    /// How many of `drawn` items are marked, drawn at random and without replacement from `total`, of which
    /// `marked` are.
    pub fn draw(&mut self, stream: &mut Stream, total: u64, marked: u64, drawn: u64) -> u64 {
        // The distribution is symmetric in marked and drawn, and mirrored where either is complemented.
        let (few_drawn, few_marked) = (drawn.min(total - drawn), marked.min(total - marked));
        let (small, large) = (few_drawn.min(few_marked), few_drawn.max(few_marked));
        let both = if small <= ONE_BY_ONE {
            one_by_one(stream, total, large, small)
        } else {
            self.by_inversion(stream, total, large, small)
        };
        let of_drawn = if few_marked == marked { both } else { few_drawn - both };
        if few_drawn == drawn { of_drawn } else { marked - of_drawn }
    }

    /// Inversion from the mode, by the ratios of neighbouring probabilities: no logarithm is taken and no
    /// digit cancels. Both arguments are at most half of `total`.
    fn by_inversion(&mut self, stream: &mut Stream, total: u64, marked: u64, drawn: u64) -> u64 {
        let mode = ((u128::from(marked) + 1) * (u128::from(drawn) + 1) / (u128::from(total) + 2)) as u64;
        let (m, k) = (marked as f64, drawn as f64);
        // The marked that are not drawn, the drawn that are not marked, and what is neither.
        let neither = (total - marked - drawn) as f64;
        self.up.clear();
        self.down.clear();
        let (mut x, mut weight, mut sum) = (mode as f64, 1.0, 0.0);
        while weight > NOTHING {
            self.up.push(weight);
            sum += weight;
            weight *= (m - x) * (k - x) / ((x + 1.0) * (neither + x + 1.0));
            x += 1.0;
        }
        (x, weight) = (mode as f64, 1.0);
        loop {
            weight *= x * (neither + x) / ((m - x + 1.0) * (k - x + 1.0));
            if weight <= NOTHING {
                break;
            }
            self.down.push(weight);
            sum += weight;
            x -= 1.0;
        }
        let mut left = stream.uniform_f64() * sum;
        for (steps, weight) in (0..).zip(&self.up) {
            left -= weight;
            if left < 0.0 {
                return mode + steps;
            }
        }
        for (steps, weight) in (1..).zip(&self.down) {
            left -= weight;
            if left < 0.0 {
                return mode - steps;
            }
        }
        mode // Rounding of the sums left less than nothing.
    }
}

/// In integers alone.
fn one_by_one(stream: &mut Stream, total: u64, marked: u64, drawn: u64) -> u64 {
    let mut left = marked;
    for i in 0..drawn {
        left -= u64::from(stream.below(total - i) < left);
    }
    marked - left
}

#[cfg(test)]
mod tests {
    use umbra_core::seed::{Purpose, Seed};

    use super::*;

    /// Bins (first number of every bin but the first) and their probabilities by scipy 1.17.1,
    /// stats.hypergeom(total, marked, drawn).cdf.
    struct Case {
        parameters: (u64, u64, u64),
        bins: &'static [u64],
        probabilities: &'static [f64],
    }

    #[test]
    fn draws_follow_the_distribution_of_scipy() {
        let mut stream = Seed::new(3).stream(Purpose::Simulation, &[]);
        let mut hypergeometric = Hypergeometric::default();
        for case in CASES {
            let (total, marked, drawn) = case.parameters;
            let n = 40_000;
            let mut counts = vec![0u32; case.probabilities.len()];
            for _ in 0..n {
                let x = hypergeometric.draw(&mut stream, total, marked, drawn);
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

    #[test]
    fn what_is_certain_is_drawn_without_fail() {
        let mut stream = Seed::new(4).stream(Purpose::Simulation, &[]);
        let mut draw =
            |total, marked, drawn| Hypergeometric::default().draw(&mut stream, total, marked, drawn);
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
                0.060123784262,
                0.257673361122,
                0.377920929645,
                0.236200581028,
                0.062523683213,
                0.00555766073,
            ],
        },
        Case {
            parameters: (60, 50, 20),
            bins: &[15, 16, 17, 18, 19, 20],
            probabilities: &[
                0.05853691464,
                0.135312522243,
                0.246663452005,
                0.281901088006,
                0.193806998004,
                0.072535952469,
                0.011243072633,
            ],
        },
        Case {
            parameters: (1_000, 300, 32),
            bins: &[6, 7, 8, 9, 10, 11, 12, 13, 14, 16],
            probabilities: &[
                0.04836696293,
                0.060845094619,
                0.098433841962,
                0.13332616353,
                0.153348064011,
                0.151380323367,
                0.129308670917,
                0.096173323994,
                0.062572952243,
                0.053693416613,
                0.012551185813,
            ],
        },
        Case {
            parameters: (1_000, 300, 33),
            bins: &[6, 8, 9, 10, 11, 12, 13, 14, 16],
            probabilities: &[
                0.038952455636,
                0.138898902868,
                0.122902481654,
                0.147466817238,
                0.152128249865,
                0.136054629472,
                0.106165357656,
                0.072634398541,
                0.066958563852,
                0.017838143217,
            ],
        },
        Case {
            parameters: (200, 90, 100),
            bins: &[39, 41, 43, 44, 45, 46, 47, 48, 49, 51, 53],
            probabilities: &[
                0.032181442752,
                0.068172357316,
                0.138341689829,
                0.096269790581,
                0.108546619935,
                0.112976199173,
                0.108546619935,
                0.096269790581,
                0.078807059172,
                0.101030268226,
                0.042489130244,
                0.016369032256,
            ],
        },
        Case {
            parameters: (200, 150, 120),
            bins: &[85, 87, 88, 89, 90, 91, 92, 93, 94, 95, 97],
            probabilities: &[
                0.032023960836,
                0.089151612094,
                0.081731503073,
                0.107272597784,
                0.12585974808,
                0.132222657566,
                0.124542534599,
                0.105282745405,
                0.079934164814,
                0.054529556582,
                0.051845171744,
                0.015603747424,
            ],
        },
        Case {
            parameters: (5_000, 4_900, 700),
            bins: &[680, 683, 684, 685, 686, 687, 688, 689, 690, 691, 694],
            probabilities: &[
                0.034173421353,
                0.119820244125,
                0.074515161932,
                0.09297405743,
                0.107714178068,
                0.115435434747,
                0.11394249374,
                0.103074069101,
                0.084959080065,
                0.063371812362,
                0.080860933987,
                0.009159113089,
            ],
        },
        Case {
            parameters: (10_000_000, 1_000_000, 40),
            bins: &[2, 3, 4, 5, 6, 7, 9],
            probabilities: &[
                0.080473283129,
                0.142334269675,
                0.200322728722,
                0.20588745673,
                0.164709945779,
                0.106756315608,
                0.084020887426,
                0.015495112929,
            ],
        },
        Case {
            parameters: (10_000_000, 600_000, 2_000_000),
            bins: &[
                119_384, 119_616, 119_726, 119_808, 119_877, 119_940, 120_001, 120_062, 120_125, 120_194,
                120_276, 120_386, 120_618,
            ],
            probabilities: &[
                0.020026157944,
                0.080220276173,
                0.080181839957,
                0.080449989963,
                0.079703695946,
                0.079721502335,
                0.080477423757,
                0.080436111883,
                0.079598695536,
                0.079498082836,
                0.080156284676,
                0.079801602861,
                0.079772026581,
                0.019956309552,
            ],
        },
    ];
}
