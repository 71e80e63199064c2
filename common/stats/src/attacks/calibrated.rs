//! Scores put on one scale, record by record.

use std::ops::Range;

use super::block::{ROWS, ScoreBlocks, Spare};
use super::offline::calibrate;
use crate::inputs::Checked;
use crate::references::References;

/// The scores of a tile as z among their own record's OUT scores: see [`calibrate`].
pub(super) fn calibrated(
    checked: &Checked<'_>,
    tile: Range<usize>,
    scores: &ScoreBlocks,
    references: &mut References,
    spare: &Spare,
) -> ScoreBlocks {
    let shadows = checked.shape.shadows;
    let (mut found, mut rows) = (spare.blocks(shadows, tile.len()), Vec::new());
    let mut room = Vec::new();
    for (group, units) in checked.units[tile].chunks(ROWS).enumerate() {
        scores.turned(group * ROWS, &mut rows);
        for (row, &unit) in rows.chunks_exact(shadows).zip(units) {
            let z = found.row();
            z.fill(f64::NAN);
            let column = checked.membership.column(unit as usize, &mut room);
            calibrate(row, column, &checked.blocks, references, z);
            found.keep(0);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use umbra_core::seed::{Purpose, Seed};

    use crate::{AttackKind, Config, Design, Inputs, Labels, MemoryLogits, Shape, analyse, roc};

    /// z of the target among the OUT scores by its definition: without the target; if that is IN, without
    /// the first OUT shadow of its block.
    fn z(scores: &[f64], outside: &[bool], block: usize, target: usize) -> f64 {
        let own = target / block * block;
        let dropped = if outside[target] { target } else { (own..).find(|&shadow| outside[shadow]).unwrap() };
        let others = (0..scores.len()).filter(|&shadow| outside[shadow] && shadow != dropped);
        let others: Vec<f64> = others.map(|shadow| scores[shadow]).collect();
        let n = others.len() as f64;
        let mean = others.iter().sum::<f64>() / n;
        let variance = others.iter().map(|score| (score - mean) * (score - mean)).sum::<f64>() / n;
        (scores[target] - mean) / variance.sqrt()
    }

    #[test]
    fn the_calibrated_curve_is_that_of_z_among_out_scores() {
        let (shadows, block, records) = (16, 8, 203);
        let seed = Seed::new(11);
        let mut stream = seed.stream(Purpose::Simulation, &[]);
        let membership = crate::testing::blocked(shadows, records, block, &mut stream);
        let members = membership.view();
        // Records differ in level and spread, and all leak alike on their own scale.
        let (mut logits, mut sides) = (Vec::new(), [Vec::new(), Vec::new()]);
        for record in 0..records {
            let (level, spread) = (5.0 * stream.normal_f64(), libm::exp(stream.normal_f64()));
            let outside: Vec<bool> = (0..shadows).map(|shadow| !members.is_in(shadow, record)).collect();
            let mut draw = |&outside: &bool| {
                let leak = if outside { 0.0 } else { 1.0 };
                (level + spread * (stream.normal_f64() + leak)) as f32
            };
            let row: Vec<f32> = outside.iter().map(&mut draw).collect();
            let scores: Vec<f64> = row.iter().copied().map(f64::from).collect();
            for target in 0..shadows {
                sides[usize::from(outside[target])].push(z(&scores, &outside, block, target));
            }
            logits.extend(row);
        }
        let shape = Shape { shadows, records, queries: 1, classes: 1 };
        let source = MemoryLogits::try_new(shape, logits).unwrap();
        let inputs = Inputs {
            source: &source,
            labels: Labels::Class(&vec![1; records]),
            units: &(0..records as u32).collect::<Vec<_>>(),
            membership: members,
            design: &Design::blocks(block),
            attributes: &[],
            seed: &seed,
            population: None,
        };
        let config = Config { attacks: vec![AttackKind::Global], bootstrap: 0, ..Config::default() };
        let found = analyse(&inputs, &config, &|_| {}).unwrap();
        let calibrated = found.attacks[0].calibrated.as_ref().unwrap();
        let right = roc(&sides[0], &sides[1]);
        assert_eq!(calibrated.scored, right.members + right.nonmembers);
        assert!((calibrated.figures.auc - right.figures.auc).abs() < 1e-12);
        assert_eq!(calibrated.figures.tpr_at_fpr, right.figures.tpr_at_fpr);
        assert!(calibrated.figures.auc > found.attacks[0].figures.auc + 0.1, "levels hide the leak");
    }
}
