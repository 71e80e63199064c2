//! Confidence bounds.

/// The normal quantile at .975, for 95 % intervals.
pub(crate) const Z: f64 = 1.959963984540054;

/// Lower bound of an AUC that was estimated as `auc` from `n` = min(IN, OUT) shadows a side, with error
/// rate `alpha`: the smallest a with n KL(auc || a) <= ln(1 / alpha), KL the Kullback-Leibler divergence
/// of Bernoulli variables (the Chernoff bound for U statistics: Hoeffding 1963,
/// doi 10.1080/01621459.1963.10500830, section 5).
pub fn auc_lower_bound(auc: f64, n: u32, alpha: f64) -> f64 {
    if auc.is_nan() || n == 0 || alpha.is_nan() || alpha <= 0.0 {
        return f64::NAN;
    }
    let budget = -libm::log(alpha) / f64::from(n);
    if auc <= 0.0 || budget <= 0.0 {
        return auc.clamp(0.0, 1.0);
    }
    // KL decreases in a on (0, auc); 200 halvings reach neighbouring numbers.
    let (mut low, mut high) = (0.0, auc.min(1.0));
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if bernoulli_kl(auc.min(1.0), middle) <= budget { high = middle } else { low = middle }
    }
    high
}

/// KL(p || a) of Bernoulli variables, 0 < a < 1.
fn bernoulli_kl(p: f64, a: f64) -> f64 {
    let term = |p: f64, a: f64| if p > 0.0 { p * libm::log(p / a) } else { 0.0 };
    term(p, a) + term(1.0 - p, 1.0 - a)
}

/// The 95 % interval of a share of `n` (Wilson 1927, doi 10.1080/01621459.1927.10502953); (0, 1) for
/// n = 0.
pub fn wilson(successes: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (n as f64, successes as f64 / n as f64);
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // Nothing and all are ends themselves, which rounding would miss.
    let low = if successes == 0 { 0.0 } else { (centre - half) / scale };
    let high = if share == 1.0 { 1.0 } else { (centre + half) / scale };
    (low, high)
}
