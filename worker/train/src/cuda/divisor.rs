//! Division by a number that is known before: a product and a shift (Granlund and Montgomery 1994,
//! doi 10.1145/178243.178249, section 4), since devices have no instruction for it.

/// `by`, `magic` and `shift` with `n / by = (n magic) >> (32 + shift)` for all n below 2^31; see `base.cuh`.
pub(super) fn divisor(by: usize) -> [u32; 3] {
    let by = u32::try_from(by).ok().filter(|&by| by > 0 && by < 1 << 31).expect("a divisor of 31 bits");
    // The least power of two that is not below it.
    let log = u64::from(32 - (by - 1).leading_zeros());
    if by == 1 {
        return [1, 0, 0];
    }
    // 2^31 < magic < 2^32, and its excess over 2^(31 + log) / by is below 1, so below 2^log / by: exact for 31 bits.
    let magic = (1u64 << (31 + log)).div_ceil(u64::from(by));
    [by, magic as u32, (log - 1) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_exact_at_and_around_every_multiple() {
        let most = (1u32 << 31) - 1;
        let divisors =
            (1..2000).chain([4095, 4096, 4097, 65_535, 65_537, 1 << 30, (1 << 30) + 1, most as usize]);
        for by in divisors {
            let [d, magic, shift] = divisor(by);
            assert_eq!(d as usize, by);
            let quotient = |n: u32| {
                if d == 1 { n } else { ((u64::from(n) * u64::from(magic)) >> 32) as u32 >> shift }
            };
            let last = most / d * d;
            let near = |n: u32| [n.saturating_sub(1), n, n.saturating_add(1).min(most)];
            let some = [0, d, (most / d / 2) * d, (most / d / 3) * d, last, most];
            for n in some.into_iter().flat_map(near) {
                assert_eq!(quotient(n), n / d, "{n} / {d}");
            }
        }
    }
}
