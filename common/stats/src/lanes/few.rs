//! Sorting of a few words without a branch, all at once in vectors.
#![allow(unsafe_code, reason = "calls what was compiled for instructions that were found at run time")]

/// The most words that are sorted like this.
pub(crate) const FEW: usize = 128;

/// Below this many words padding costs more than branches do.
#[cfg(target_arch = "x86_64")]
const LEAST: usize = 12;

/// Whether so many words are sorted without a branch on this machine.
#[inline]
pub(crate) fn has_network(words: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    return (LEAST..=FEW).contains(&words) && super::dispatch::has_avx512();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Sorts words, without a branch where [`has_network`] says so; as `sort_unstable` does.
#[inline]
pub(crate) fn sort_few(words: &mut [u64]) {
    #[cfg(target_arch = "x86_64")]
    if has_network(words.len()) {
        // SAFETY: the instructions were found.
        return unsafe { avx512::sort(words) };
    }
    words.sort_unstable();
}

/// Eight rows of eight lanes. Columns are sorted by a network; then those of neighbouring lanes are merged
/// (Batcher 1968, doi 10.1145/1468075.1468121: bitonic merging), a word's place being its lane and then its
/// row, so that most steps compare whole rows; at last lanes become rows.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512i, __mmask8, _mm512_loadu_epi64, _mm512_mask_max_epu64, _mm512_max_epu64, _mm512_min_epu64,
        _mm512_permutex_epi64, _mm512_permutexvar_epi64, _mm512_set_epi64, _mm512_shuffle_epi32,
        _mm512_shuffle_i64x2, _mm512_storeu_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
    };

    use super::FEW;

    type Rows = [__m512i; 8];

    /// The lanes that keep the higher word, of neighbours one, two or four lanes apart.
    const ONE: __mmask8 = 0b1010_1010;
    const TWO: __mmask8 = 0b1100_1100;
    const FOUR: __mmask8 = 0b1111_0000;

    /// Leaves the lower words in the first row of each pair, the higher ones in the second.
    macro_rules! exchange {
        ($rows:ident: $($low:literal $high:literal),*) => {
            $({
                let (a, b) = ($rows[$low], $rows[$high]);
                ($rows[$low], $rows[$high]) = (_mm512_min_epu64(a, b), _mm512_max_epu64(a, b));
            })*
        };
    }

    /// The lower words, but in the lanes of the mask the higher ones.
    macro_rules! parted {
        ($a:expr, $b:expr, $mask:ident) => {
            _mm512_mask_max_epu64(_mm512_min_epu64($a, $b), $mask, $a, $b)
        };
    }

    /// Compares each row with the one as far from the other end, its lanes turned by `$turn`.
    macro_rules! fold {
        ($rows:ident, $turn:expr, $mask:ident) => {
            for row in 0..4 {
                let (a, b) = ($rows[row], $rows[7 - row]);
                let (turned_a, turned_b) = ($turn(a), $turn(b));
                $rows[row] = parted!(a, turned_b, $mask);
                $rows[7 - row] = parted!(b, turned_a, $mask);
            }
        };
    }

    /// Compares lanes within each row.
    macro_rules! within {
        ($rows:ident, $turn:expr, $mask:ident) => {
            for row in &mut *$rows {
                let turned = $turn(*row);
                *row = parted!(*row, turned, $mask);
            }
        };
    }

    /// Up to [`FEW`] words.
    #[target_feature(enable = "avx512f")]
    pub fn sort(words: &mut [u64]) {
        // What pads them comes last.
        let mut padded = [u64::MAX; FEW];
        padded[..words.len()].copy_from_slice(words);
        let (low, high) = padded.split_at_mut(FEW / 2);
        let mut first = load(low);
        sort_rows(&mut first);
        if words.len() > FEW / 2 {
            let mut second = load(high);
            sort_rows(&mut second);
            merge(&mut first, &mut second);
            store(&second, high);
        }
        store(&first, low);
        words.copy_from_slice(&padded[..words.len()]);
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load(words: &[u64]) -> Rows {
        let (rows, _) = words.as_chunks::<8>();
        // SAFETY: a row is as many words as are read.
        std::array::from_fn(|row| unsafe { _mm512_loadu_epi64(rows[row].as_ptr().cast()) })
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn store(rows: &Rows, words: &mut [u64]) {
        for (to, &row) in words.as_chunks_mut::<8>().0.iter_mut().zip(rows) {
            // SAFETY: a row is as many words as are written.
            unsafe { _mm512_storeu_epi64(to.as_mut_ptr().cast(), row) }
        }
    }

    /// Sorts 64 words, row after row.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn sort_rows(rows: &mut Rows) {
        // The least comparisons for eight (Knuth, The Art of Computer Programming 3, section 5.3.4).
        exchange!(rows: 0 2, 1 3, 4 6, 5 7, 0 4, 1 5, 2 6, 3 7, 0 1, 2 3, 4 5, 6 7);
        exchange!(rows: 2 4, 3 5, 1 4, 3 6, 1 2, 3 4, 5 6);
        fold!(rows, neighbours, ONE);
        clean(rows);
        fold!(rows, |x| _mm512_permutex_epi64::<0x1b>(x), TWO);
        within!(rows, neighbours, ONE);
        clean(rows);
        fold!(rows, backwards, FOUR);
        within!(rows, pairs, TWO);
        within!(rows, neighbours, ONE);
        clean(rows);
        turn(rows);
    }

    /// The last steps of a merge, of whole rows.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn clean(rows: &mut Rows) {
        exchange!(rows: 0 4, 1 5, 2 6, 3 7, 0 2, 1 3, 4 6, 5 7, 0 1, 2 3, 4 5, 6 7);
    }

    /// Merges two times 64 sorted words, row after row.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn merge(first: &mut Rows, second: &mut Rows) {
        let others = *second;
        for row in 0..8 {
            let (a, b) = (first[row], backwards(others[7 - row]));
            (first[row], second[row]) = (_mm512_min_epu64(a, b), _mm512_max_epu64(a, b));
        }
        for rows in [first, second] {
            clean(rows);
            within!(rows, |x| _mm512_shuffle_i64x2::<0x4e>(x, x), FOUR);
            within!(rows, pairs, TWO);
            within!(rows, neighbours, ONE);
        }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn neighbours(x: __m512i) -> __m512i {
        _mm512_shuffle_epi32::<0x4e>(x)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn pairs(x: __m512i) -> __m512i {
        _mm512_permutex_epi64::<0x4e>(x)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn backwards(x: __m512i) -> __m512i {
        _mm512_permutexvar_epi64(_mm512_set_epi64(0, 1, 2, 3, 4, 5, 6, 7), x)
    }

    /// Lanes become rows.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn turn(rows: &mut Rows) {
        const EVEN: i32 = 0b10_00_10_00;
        const ODD: i32 = 0b11_01_11_01;
        for (first, from) in [*rows; 2].into_iter().enumerate() {
            // Pairs of rows interleaved: even lanes, and odd ones.
            let pair = |row: usize| match first {
                0 => _mm512_unpacklo_epi64(from[row], from[row + 1]),
                _ => _mm512_unpackhi_epi64(from[row], from[row + 1]),
            };
            let (a, b, c, d) = (pair(0), pair(2), pair(4), pair(6));
            let (ab_even, ab_odd) = (_mm512_shuffle_i64x2::<EVEN>(a, b), _mm512_shuffle_i64x2::<ODD>(a, b));
            let (cd_even, cd_odd) = (_mm512_shuffle_i64x2::<EVEN>(c, d), _mm512_shuffle_i64x2::<ODD>(c, d));
            rows[first] = _mm512_shuffle_i64x2::<EVEN>(ab_even, cd_even);
            rows[first + 2] = _mm512_shuffle_i64x2::<EVEN>(ab_odd, cd_odd);
            rows[first + 4] = _mm512_shuffle_i64x2::<ODD>(ab_even, cd_even);
            rows[first + 6] = _mm512_shuffle_i64x2::<ODD>(ab_odd, cd_odd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::on_every_level;
    use umbra_core::seed::{Purpose, Seed};

    /// A network that sorts all sequences of zeros and ones sorts everything (Knuth, section 5.3.4): all
    /// numbers of ones in many orders, and words of all sizes, few values, and the padding's own.
    #[test]
    fn words_are_sorted_as_by_the_standard_library() {
        let mut stream = Seed::new(6).stream(Purpose::Simulation, &[]);
        for length in 0..=FEW + 2 {
            for ones in 0..=length {
                for round in 0..4 {
                    let mut words: Vec<u64> = match round {
                        0 => (0..length).map(|_| stream.next_u64()).collect(),
                        1 => (0..length).map(|_| stream.below(9) << 61 | stream.below(2)).collect(),
                        _ => {
                            (0..length).map(|i| if i < ones { [1, u64::MAX][round - 2] } else { 0 }).collect()
                        }
                    };
                    stream.shuffle(&mut words);
                    let mut right = words.clone();
                    right.sort_unstable();
                    on_every_level(|| {
                        let mut found = words.clone();
                        sort_few(&mut found);
                        assert_eq!(found, right);
                    });
                }
            }
        }
    }
}
