//! Shadows that gave nothing.

use crate::error::StatsError;
use crate::source::{Tile, TileSource, Values};

/// Values that are read at once: some four MiB.
const TILE_VALUES: usize = 1 << 20;

/// The shadows without a single finite logit, ascending: lost ones, for [`crate::Design::with_lost`].
/// Reads no further than it has to, which is little if no shadow was lost.
///
/// # Errors
/// If the source cannot be read.
pub fn find_lost(source: &dyn TileSource) -> Result<Vec<u32>, StatsError> {
    let shape = source.shape();
    let step = (TILE_VALUES / shape.per_record().max(1)).max(1);
    let mut silent = vec![true; shape.shadows];
    let mut tile = Tile::new();
    for start in (0..shape.records).step_by(step) {
        if !silent.contains(&true) {
            break;
        }
        let end = (start + step).min(shape.records);
        source.read(start..end, &mut tile).map_err(|source| StatsError::Source { start, end, source })?;
        match tile.values() {
            Values::F32(values) => hear(values, &mut silent, |value| value.is_finite()),
            Values::F64(values) => hear(values, &mut silent, |value| value.is_finite()),
        }
    }
    Ok((0u32..).zip(silent).filter(|(_, silent)| *silent).map(|(shadow, _)| shadow).collect())
}

fn hear<T: Copy>(values: &[T], silent: &mut [bool], is_finite: impl Fn(T) -> bool) {
    for row in values.chunks_exact(silent.len().max(1)) {
        silent.iter_mut().zip(row).for_each(|(silent, &value)| *silent &= !is_finite(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{MemoryLogits, Shape};

    #[test]
    fn a_shadow_is_lost_if_it_never_spoke() {
        let shape = Shape { shadows: 4, records: 300_000, queries: 1, classes: 2 };
        let source = MemoryLogits::from_fn(shape, |shadow, record, _, class| match shadow {
            1 => f64::NAN,
            2 if record < 299_999 || class == 0 => f64::INFINITY,
            _ => 0.5,
        });
        assert_eq!(find_lost(&source).unwrap(), [1]);
    }
}
