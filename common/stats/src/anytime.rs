//! Evidence that may be looked at any time: e-values.
//!
//! Within a stratum exp(lambda U) / E exp(lambda U) has mean 1 under the null, whatever happened in earlier
//! strata; so has its product over the strata so far, and the mean of such products over several lambdas. A
//! look after every block, and a stop at will, keep it a fair bet: it is 20 or more with probability 1 / 20
//! at most (Ville 1939; Grunwald, de Heide and Koolen 2024, doi 10.1093/jrsssb/qkae011).

/// The bets: growth rates per unit of U at eight IN against eight OUT shadows.
pub(crate) const LAMBDAS: [f64; 4] = [0.05, 0.1, 0.2, 0.4];

/// What a unit of the statistic counts in a stratum of m against n (pairs: n and n): the best lambda for a
/// given AUC is inverse to m + n + 1, and the bets are stated for 8 and 8.
pub(crate) fn weight(m: u32, n: u32) -> f64 {
    17.0 / f64::from(m + n + 1)
}

/// ln E exp(lambda weight U) of m against n without ties: the Gaussian binomial at q = exp(lambda weight)
/// over its value at 1; for n pairs (m = n) the product over the ranks of (1 + q^rank) / 2.
pub(crate) fn ln_mgf(lambda: f64, paired: bool, m: u32, n: u32) -> f64 {
    let rate = lambda * weight(m, n);
    if paired {
        return (1..=n).map(|rank| libm::log(0.5 + 0.5 * libm::exp(rate * f64::from(rank)))).sum();
    }
    let per_unit = |i: u32| libm::expm1(rate * f64::from(i)) / f64::from(i);
    (1..=m).map(|i| libm::log(per_unit(n + i) / per_unit(i))).sum()
}

/// ln E exp(lambda weight U) where twice U is `least` + index with the given probabilities.
pub(crate) fn ln_mgf_of(lambda: f64, weight: f64, least: u64, distribution: &[f64]) -> f64 {
    let rate = 0.5 * lambda * weight;
    let top = distribution.len() - 1;
    let terms = distribution.iter().enumerate();
    let sum: f64 = terms.map(|(x, p)| p * libm::exp(-rate * (top - x) as f64)).sum();
    rate * (least as f64 + top as f64) + libm::log(sum)
}

/// ln of the mean over the lambdas of exp(lambda x) / mgf, with x the weighted sum of the statistics.
pub(crate) fn ln_e(weighted: f64, ln_mgf: &[f64; LAMBDAS.len()]) -> f64 {
    let logs: [f64; LAMBDAS.len()] = std::array::from_fn(|i| LAMBDAS[i] * weighted - ln_mgf[i]);
    let largest = logs.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let sum: f64 = logs.iter().map(|log| libm::exp(log - largest)).sum();
    largest + libm::log(sum / LAMBDAS.len() as f64)
}

/// An e-value from its logarithm; never infinite.
pub(crate) fn from_ln(ln_e: f64) -> f64 {
    libm::exp(ln_e).min(f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nulls::NullTables;

    #[test]
    fn closed_forms_are_means_over_the_null() {
        for (paired, m, n) in [(false, 8, 8), (false, 3, 11), (true, 8, 8), (true, 13, 13)] {
            let null = NullTables::default().get(paired, &[(m, n)], &mut None);
            let mut doubled = vec![0.0; 2 * null.most + 1];
            for x in 0..=null.most {
                doubled[2 * x] = null.upper(x) - null.upper(x + 1);
            }
            for (i, lambda) in LAMBDAS.into_iter().enumerate() {
                let expected = ln_mgf_of(lambda, weight(m, n), 0, &doubled);
                assert!((ln_mgf(lambda, paired, m, n) - expected).abs() < 1e-11);
                assert!((null.ln_mgf[i] - expected).abs() < 1e-11);
            }
            // The mean of e itself is 1.
            let mean: f64 = (0..=null.most)
                .map(|x| doubled[2 * x] * libm::exp(ln_e(weight(m, n) * x as f64, &null.ln_mgf)))
                .sum();
            assert!((mean - 1.0).abs() < 1e-12, "{mean}");
        }
    }
}
