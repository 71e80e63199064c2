//! The false discovery rate.

/// Adjusted p values (q values) in the order given: the smallest false discovery rate at which each is
/// rejected (Benjamini and Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x).
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let n = p.len() as f64;
    let mut q = vec![0.0; p.len()];
    let mut least = 1.0f64;
    for (rank, &index) in order.iter().enumerate().rev() {
        least = least.min(p[index] * n / (rank + 1) as f64);
        q[index] = least;
    }
    q
}
