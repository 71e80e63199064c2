//! Numbers as integers of the same order.

/// A number as an integer of the same order; -0.0 and 0.0 are one.
#[inline(always)]
pub(crate) fn key(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    // All bits turned over if it is negative, else the sign alone; without a branch.
    bits ^ ((bits as i64 >> 63) as u64 | 1 << 63)
}

/// The number of a key; 0.0 for both zeroes.
#[inline(always)]
pub(crate) fn number(key: u64) -> f64 {
    // Keys of numbers that are not negative have the highest bit.
    f64::from_bits(key ^ (!(key as i64 >> 63) as u64 | 1 << 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order() {
        let ascending = [f64::MIN, -1.5, -1.0, -5e-324, 0.0, 5e-324, 1.0, 1.0 + f64::EPSILON, f64::MAX];
        assert!(ascending.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
        assert_eq!(key(-0.0), key(0.0));
        assert_eq!(ascending.map(|value| number(key(value))), ascending);
    }
}
