//! Evidence that was weighed before.

use std::sync::Arc;

use crate::anytime;
use crate::nulls::Null;

/// Bits that number what is remembered.
const BITS: u32 = 9;

/// Remembers [`anytime::ln_e`]: units share few statistics, and exponentials are slow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    /// By a hash of the statistic: it, its null, and what was found; none before the first.
    found: Vec<Option<(f64, Arc<Null>, f64)>>,
}

impl Evidence {
    /// Of a weighted statistic without ties.
    pub fn ln_e(&mut self, weighted: f64, null: &Arc<Null>) -> f64 {
        self.found.resize(1 << BITS, None);
        // Fibonacci's hash: neighbouring statistics fall far apart.
        let hash = weighted.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BITS);
        let found = &mut self.found[hash as usize];
        match found {
            Some((of, under, ln_e)) if *of == weighted && Arc::ptr_eq(under, null) => *ln_e,
            _ => {
                let ln_e = anytime::ln_e(weighted, &null.ln_mgf);
                *found = Some((weighted, Arc::clone(null), ln_e));
                ln_e
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nulls::NullTables;

    #[test]
    fn what_is_remembered_is_what_is_found() {
        let tables = NullTables::default();
        let nulls = [(8, 8), (4, 9)].map(|strata| tables.get(false, &[strata], &mut None));
        let mut evidence = Evidence::default();
        for turn in 0..4000 {
            let (weighted, null) = (f64::from(turn % 700) * 0.5, &nulls[turn as usize / 3 % 2]);
            assert_eq!(evidence.ln_e(weighted, null), anytime::ln_e(weighted, &null.ln_mgf));
        }
    }
}
