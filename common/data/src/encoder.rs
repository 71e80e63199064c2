//! From columns to features: median and indicator for missing numbers, standardisation, one-hot levels.

use crate::description::{EncodedColumn, Encoding};
use crate::layout::MISSING;
use crate::limits::{MAX_FEATURE_BYTES, MAX_FEATURES};
use crate::records::{FeatureColumn, FeatureData, Records};
use crate::refusal::Problems;
use crate::table::Coded;

/// The encoded features and how they came about.
pub(crate) struct Encoded {
    /// `[records][features]`, records in canonical order.
    pub features: Vec<f32>,
    pub width: usize,
    pub names: Vec<String>,
    pub columns: Vec<EncodedColumn>,
}

/// Fits and applies the encoder, records taken in the order given. Columns that are alike in every record
/// are dropped with a warning. `None` after a mistake.
pub(crate) fn encode(
    records: &Records,
    order: &[u32],
    warnings: &mut Vec<String>,
    problems: &mut Problems,
) -> Option<Encoded> {
    let mut columns = Vec::new();
    let mut sources = Vec::new();
    for feature in &records.features {
        let encoding = match &feature.data {
            FeatureData::Numbers(values) => fit_numbers(feature, values, order, warnings, problems),
            FeatureData::Levels(coded) => fit_levels(feature, coded, warnings),
        };
        if let Some(encoding) = encoding {
            columns.push(EncodedColumn { name: feature.name.clone(), encoding });
            sources.push(&feature.data);
        }
    }
    let width: usize = columns.iter().map(|column| column.encoding.width()).sum();
    if !problems.is_empty() {
        return None;
    }
    if width == 0 {
        problems.whole("every column is alike in all rows: there is nothing to learn from");
        return None;
    }
    if width > MAX_FEATURES as usize || (width * order.len() * 4) as u64 > MAX_FEATURE_BYTES {
        problems.whole(format!(
            "{} records of {width} features are too many for one data set: ignore columns with many levels",
            order.len()
        ));
        return None;
    }
    let mut features = vec![0f32; width * order.len()];
    let mut at = 0;
    for (column, data) in columns.iter().zip(sources) {
        fill(&column.encoding, data, order, &mut features, width, at);
        at += column.encoding.width();
    }
    let names = columns.iter().flat_map(names).collect();
    Some(Encoded { features, width, names, columns })
}

fn fit_numbers(
    feature: &FeatureColumn,
    values: &[f64],
    order: &[u32],
    warnings: &mut Vec<String>,
    problems: &mut Problems,
) -> Option<Encoding> {
    let name = &feature.name;
    let mut there: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let Some(median) = median(&mut there) else {
        warnings.push(format!("column \"{name}\" is dropped: it is missing in every row"));
        return None;
    };
    let indicator = there.len() < values.len();
    if there.iter().all(|&value| value == median) {
        let kept = if indicator { "only its missing indicator is kept" } else { "it is dropped" };
        warnings.push(format!("column \"{name}\" has the same value in every row: {kept}"));
        return indicator.then_some(Encoding::IndicatorOnly);
    }
    let filled = || order.iter().map(|&row| fill_in(values[row as usize], median));
    let count = order.len() as f64;
    let mean = filled().sum::<f64>() / count;
    let sd = (filled().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count).sqrt();
    if !(mean.is_finite() && sd.is_finite()) {
        problems.column(name, "its numbers are too large to be standardised: ignore the column");
        return None;
    }
    if sd == 0.0 {
        problems.column(name, "its numbers differ too little to be standardised: ignore the column");
        return None;
    }
    Some(Encoding::Numeric { median, mean, sd, indicator })
}

fn fit_levels(feature: &FeatureColumn, coded: &Coded, warnings: &mut Vec<String>) -> Option<Encoding> {
    let missing = coded.codes.contains(&MISSING);
    let levels = coded.names.clone();
    if levels.len() + usize::from(missing) < 2 {
        warnings.push(format!("column \"{}\" has the same value in every row: it is dropped", feature.name));
        return None;
    }
    Some(Encoding::OneHot { levels, missing })
}

/// The median, which reorders the values; of an even number, the mean of the middle two.
fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let odd = values.len() % 2 == 1;
    let half = values.len() / 2;
    let (below, &mut upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| !odd);
    Some(lower.map_or(upper, |lower| lower / 2.0 + upper / 2.0))
}

fn fill_in(value: f64, median: f64) -> f64 {
    if value.is_nan() { median } else { value }
}

fn fill(encoding: &Encoding, data: &FeatureData, order: &[u32], out: &mut [f32], width: usize, at: usize) {
    let slots = out.chunks_exact_mut(width).map(|row| &mut row[at..]).zip(order);
    match (encoding, data) {
        (Encoding::Numeric { median, mean, sd, indicator }, FeatureData::Numbers(values)) => {
            for (slot, &row) in slots {
                let value = values[row as usize];
                slot[0] = ((fill_in(value, *median) - mean) / sd) as f32 + 0.0;
                if *indicator {
                    slot[1] = f32::from(u8::from(value.is_nan()));
                }
            }
        }
        (Encoding::IndicatorOnly, FeatureData::Numbers(values)) => {
            for (slot, &row) in slots {
                slot[0] = f32::from(u8::from(values[row as usize].is_nan()));
            }
        }
        (Encoding::OneHot { levels, .. }, FeatureData::Levels(coded)) => {
            for (slot, &row) in slots {
                let code = coded.codes[row as usize];
                slot[if code == MISSING { levels.len() } else { code as usize }] = 1.0;
            }
        }
        (Encoding::Numeric { .. } | Encoding::IndicatorOnly, FeatureData::Levels(_))
        | (Encoding::OneHot { .. }, FeatureData::Numbers(_)) => {
            unreachable!("an encoding is fitted to its own column")
        }
    }
}

fn names(column: &EncodedColumn) -> Vec<String> {
    let name = &column.name;
    let absent = || format!("{name} missing");
    match &column.encoding {
        Encoding::Numeric { indicator: false, .. } => vec![name.clone()],
        Encoding::Numeric { indicator: true, .. } => vec![name.clone(), absent()],
        Encoding::IndicatorOnly => vec![absent()],
        Encoding::OneHot { levels, missing } => {
            let named = levels.iter().map(|level| format!("{name}={level}"));
            named.chain(missing.then(absent)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&mut [f64::MAX, f64::MAX]), Some(f64::MAX));
    }
}
