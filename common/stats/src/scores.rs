//! The scores alone: attacks without the findings.

use std::cmp::Ordering;

use crate::attacks::{self, Attack, ScoreBlocks, Spare, Work};
use crate::config::Config;
use crate::error::StatsError;
use crate::inputs::Inputs;
use crate::scratch::MemoryScratch;
use crate::signal::Extractor;
use crate::sink::Sink;
use crate::sweep::{STRIP, StripSums, Tiling, for_each_tile};

/// What one tile contributes to one attack in a sweep.
enum Part {
    Sums(StripSums),
    Scores(ScoreBlocks),
    Nothing,
}

/// Scores all (target, record) pairs by the configured attacks and hands them to `sink`, and computes
/// nothing else. They are those of [`crate::analyse_into`].
///
/// # Errors
/// As [`crate::analyse_into`].
pub fn score_into(inputs: &Inputs<'_>, config: &Config, sink: &mut dyn Sink) -> Result<(), StatsError> {
    config.check()?;
    let checked = inputs.check(&MemoryScratch)?;
    let shadows = checked.shape.shadows;
    let build = |&kind| Ok((kind, attacks::build(kind, config, &checked)?));
    let mut entries = config.attacks.iter().map(build).collect::<Result<Vec<_>, StatsError>>()?;
    let sweeps = entries.iter().map(|(_, attack)| attack.passes() + 1).max().unwrap_or(0);
    for sweep in 0..sweeps {
        let width = |attack: &dyn Attack| if sweep < attack.passes() { attack.width(sweep) } else { 0 };
        let mut totals: Vec<Vec<f64>> = entries.iter().map(|(_, a)| vec![0.0; width(&**a)]).collect();
        let per_record: usize =
            entries.iter().map(|(_, a)| (width(&**a).div_ceil(STRIP) + shadows) * size_of::<f64>()).sum();
        let (reading, spare) = (&entries, Spare::default());
        for_each_tile(
            &checked,
            Tiling::new(&checked, config.tile_records, per_record),
            || (Extractor::new(&checked, false), Work::default()),
            |(extractor, work), tile, mut pieces| {
                let begin = |attack: &dyn Attack| match sweep.cmp(&attack.passes()) {
                    Ordering::Less => Part::Sums(StripSums::new(tile.len(), width(attack))),
                    Ordering::Equal => Part::Scores(spare.blocks(shadows, tile.len())),
                    Ordering::Greater => Part::Nothing,
                };
                let mut parts: Vec<Part> = reading.iter().map(|(_, attack)| begin(&**attack)).collect();
                while let Some((records, logits)) = pieces.next()? {
                    for (index, record) in records.enumerate() {
                        let view = extractor.view(logits, index, record);
                        for ((_, attack), part) in reading.iter().zip(&mut parts) {
                            match part {
                                Part::Sums(sums) => {
                                    attack.observe(sweep, &view, work, sums.of(record - tile.start));
                                }
                                Part::Scores(blocks) => {
                                    let floored = attack.score(&view, work, blocks.row());
                                    blocks.keep(floored);
                                }
                                Part::Nothing => {}
                            }
                        }
                    }
                }
                for ((_, attack), part) in reading.iter().zip(&mut parts) {
                    if let Part::Scores(blocks) = part {
                        blocks.finish(&**attack);
                    }
                }
                Ok(parts)
            },
            |tile, parts| {
                for (index, part) in parts.into_iter().enumerate() {
                    match part {
                        Part::Sums(sums) => sums.add_to(&mut [&mut totals[index]]),
                        Part::Scores(blocks) => {
                            sink.scores(reading[index].0, tile.clone(), blocks.values()).map_err(
                                |source| StatsError::Sink { start: tile.start, end: tile.end, source },
                            )?;
                            spare.give(blocks);
                        }
                        Part::Nothing => {}
                    }
                }
                Ok(())
            },
        )?;
        for ((_, attack), sums) in entries.iter_mut().zip(&totals) {
            if sweep < attack.passes() {
                attack.learn(sweep, sums);
            }
        }
    }
    Ok(())
}
