//! How many choices of IN shadows give each value of the Mann-Whitney U: whole numbers, exact.
//!
//! The choices of m among N that give U = u are the coefficients of the Gaussian binomial
//! prod over i <= m of (1 - q^(N - i + 1)) / (1 - q^i) (Mann and Whitney 1947,
//! doi 10.1214/aoms/1177730491). Factor by factor this costs m passes over m (N - m) / 2 numbers, against
//! as many passes over a whole table of such rows for the usual recurrence. It subtracts, which in floating
//! point loses every digit by 1,000 shadows; so the numbers, of up to N bits, are kept whole.

/// The tails of U for one split of N shadows.
pub(crate) struct Tails {
    /// IN shadows, or OUT ones: the distribution is the same.
    pub few: u32,
    /// P(U <= u) for u = 0 ..= few (N - few) / 2, each correctly rounded but for a unit or two.
    pub lower: Vec<f64>,
}

/// Visits the tails for m = `least` ..= `most` against `total` - m, from one run through the factors.
/// `most` is at most half of `total`.
pub(crate) fn tails(total: u32, least: u32, most: u32, mut visit: impl FnMut(Tails)) {
    debug_assert!(2 * most <= total && least <= most);
    let n = total as usize;
    let half = most as usize * (n - most as usize) / 2;
    let mut bits = 1.0;
    let mut counts = Wide::one(half + 1, n / 64 + 1);
    if least == 0 {
        visit(Tails { few: 0, lower: vec![1.0] });
    }
    for m in 1..=most as usize {
        bits += libm::log2((n - m + 1) as f64 / m as f64);
        // One bit to spare for the rounding of the logarithms.
        let limbs = (bits as usize + 1) / 64 + 1;
        let degree = m * (n - m);
        let end = counts.len().min(degree + 1);
        counts.subtract_shifted(n - m + 1, end, limbs);
        counts.add_strided(m, end, limbs);
        if m >= least as usize {
            visit(Tails { few: m as u32, lower: counts.lower_tails(degree, limbs) });
        }
    }
}

/// Numbers of a fixed number of 64-bit limbs, least significant first, one after the other. Differences
/// below 0 wrap around, and come back by the sums that follow.
struct Wide {
    stride: usize,
    limbs: Vec<u64>,
}

impl Wide {
    /// 1, 0, 0, ...
    fn one(len: usize, stride: usize) -> Self {
        let mut limbs = vec![0; len * stride];
        limbs[0] = 1;
        Self { stride, limbs }
    }

    fn len(&self) -> usize {
        self.limbs.len() / self.stride
    }

    /// Times 1 - q^shift, up to (not including) the coefficient `end`.
    fn subtract_shifted(&mut self, shift: usize, end: usize, limbs: usize) {
        for u in (shift..end).rev() {
            let (low, high) = self.limbs.split_at_mut(u * self.stride);
            let from = &low[(u - shift) * self.stride..][..limbs];
            let mut borrow = false;
            for (limb, &take) in high[..limbs].iter_mut().zip(from) {
                (*limb, borrow) = limb.borrowing_sub(take, borrow);
            }
        }
    }

    /// Divided by 1 - q^step, up to (not including) the coefficient `end`.
    fn add_strided(&mut self, step: usize, end: usize, limbs: usize) {
        for u in step..end {
            let (low, high) = self.limbs.split_at_mut(u * self.stride);
            add(&mut high[..limbs], &low[(u - step) * self.stride..][..limbs]);
        }
    }

    /// The sums of the coefficients 0 ..= u, over the sum of all `degree` + 1 of them (which are
    /// symmetric), for u up to half the degree.
    fn lower_tails(&self, degree: usize, limbs: usize) -> Vec<f64> {
        let mut sum = vec![0; limbs];
        let mut sums: Vec<(f64, i32)> = Vec::with_capacity(degree / 2 + 1);
        for count in self.limbs.chunks_exact(self.stride).take(degree / 2 + 1) {
            add(&mut sum, &count[..limbs]);
            sums.push(float(&sum));
        }
        let scale = sums.last().map_or(0, |&(_, exponent)| exponent);
        let scaled = |&(mantissa, exponent): &(f64, i32)| libm::scalbn(mantissa, exponent - scale);
        // The upper half: all above degree / 2, which mirrors all below (degree + 1) / 2.
        let below = degree.div_ceil(2).checked_sub(1).map_or(0.0, |u| scaled(&sums[u]));
        let all = below + sums.last().map_or(1.0, scaled);
        sums.iter().map(|sum| scaled(sum) / all).collect()
    }
}

fn add(sum: &mut [u64], part: &[u64]) {
    let mut carry = false;
    for (limb, &more) in sum.iter_mut().zip(part) {
        (*limb, carry) = limb.carrying_add(more, carry);
    }
}

/// A number as a mantissa in [1, 2) and a power of two; 0 as (0, 0).
fn float(limbs: &[u64]) -> (f64, i32) {
    let Some(top) = limbs.iter().rposition(|&limb| limb > 0) else { return (0.0, 0) };
    let next = if top > 0 { limbs[top - 1] } else { 0 };
    let wide = u128::from(limbs[top]) << 64 | u128::from(next);
    let bits = 127 - wide.leading_zeros() as i32;
    (libm::scalbn(wide as f64, -bits), bits + 64 * (top as i32 - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lower(total: u32, m: u32) -> Vec<f64> {
        let mut found = Vec::new();
        tails(total, m, m, |tails| found = tails.lower);
        found
    }

    /// The recurrence of Mann and Whitney 1947, which only adds: the last of the values is IN or OUT.
    fn by_recurrence(m: usize, n: usize) -> Vec<f64> {
        let mut rows = vec![vec![1.0]; n + 1];
        for i in 1..=m {
            let mut previous = vec![1.0];
            for j in 1..=n {
                let mut row = vec![0.0; i * j + 1];
                let (last_in, last_out) = (i as f64 / (i + j) as f64, j as f64 / (i + j) as f64);
                rows[j].iter().zip(&mut row[j..]).for_each(|(&f, sum)| *sum += last_in * f);
                previous.iter().zip(&mut row).for_each(|(&f, sum)| *sum += last_out * f);
                previous.clone_from(&row);
                rows[j] = row;
            }
        }
        let mut tails = rows.swap_remove(n);
        (1..tails.len()).for_each(|u| tails[u] += tails[u - 1]);
        tails
    }

    #[test]
    fn factors_and_recurrence_agree() {
        for (m, n) in [(1, 1), (1, 7), (3, 4), (8, 8), (20, 44), (64, 64), (40, 90)] {
            let expected = by_recurrence(m, n);
            let found = lower((m + n) as u32, m as u32);
            assert_eq!(found.len(), m * n / 2 + 1);
            for (u, (a, b)) in found.iter().zip(&expected).enumerate() {
                assert!((a / b - 1.0).abs() < 1e-12, "{m} against {n}, U <= {u}: {a}, expected {b}");
            }
        }
    }

    /// Expected: the same sums in Python's whole numbers (`vectors/patient_reference.py`).
    #[test]
    fn a_thousand_shadows_keep_every_digit() {
        for (total, m, u, expected) in [
            (512, 256, 1000, LARGE[0]),
            (512, 256, 24_000, LARGE[1]),
            (512, 100, 10_000, LARGE[2]),
            (1024, 512, 50_000, LARGE[3]),
            (1024, 512, 120_000, LARGE[4]),
        ] {
            let found = lower(total, m)[u];
            assert!((found / expected - 1.0).abs() < 1e-14, "{found} is not {expected}");
        }
    }

    const LARGE: [f64; 5] = [
        1.2958128063151102e-120,
        6.575598670996425e-08,
        6.20750108313146e-17,
        7.754370509721748e-73,
        0.009626959122602037,
    ];
}
