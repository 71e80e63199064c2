//! Running figures over complete blocks, on a seeded sample of records.

use umbra_core::cluster::PackResult;
use umbra_core::fault::{Domain, Fault, Retry};
use umbra_core::ids::PackIndex;
use umbra_core::membership::Membership as Drawn;
use umbra_core::seed::Purpose;
use umbra_proto::v1;
use umbra_stats::{Design, Inputs, Membership, Subset};

use super::labels::Picked;
use super::packs::open_pack;
use super::source::PackedLogits;
use crate::audit_task::AuditTask;
use crate::engine::Command;
use crate::shell::Shell;

/// Records of the sample, at most.
const SAMPLE: usize = 4096;

/// Computes running figures over the first `blocks` blocks and tells the engine. They are a service to
/// whoever watches: a failure is logged and nothing more.
pub async fn provisional(
    shell: &Shell,
    task: &AuditTask,
    results: Vec<(PackIndex, PackResult)>,
    blocks: u32,
) {
    match compute(shell, task, results, blocks).await {
        Ok(Some(auc)) => {
            let figures = v1::Provisional { blocks, auc };
            let audit = task.facts.id.clone();
            // The engine may be gone: then nobody watches.
            let _ = shell.engine.tell(Command::Provisional { audit, figures }).await;
        }
        Ok(None) => {}
        Err(fault) => tracing::warn!(audit = %task.facts.id, %fault, "no running figures"),
    }
}

async fn compute(
    shell: &Shell,
    task: &AuditTask,
    results: Vec<(PackIndex, PackResult)>,
    blocks: u32,
) -> Result<Option<f64>, Fault> {
    let facts = &task.facts;
    let prepared = task.prepared(shell).await?;
    let mut packs = Vec::new();
    let mut lost = Vec::new();
    for (index, result) in &results {
        let Some(plan) = facts.plan.packs.get(index.0 as usize) else { continue };
        packs.push(open_pack(shell, facts, plan, result).await?);
        lost.extend(result.lost.iter().map(|shadow| shadow.0));
    }
    let (records, logits) = (facts.dataset.shape.records, facts.logits());
    let spec = facts.spec.clone();
    let figures = tokio::task::spawn_blocking(move || {
        let whole = PackedLogits::new(packs, records as usize, logits as usize);
        let rows = sample(spec.seed(), records);
        let source = Subset::try_new(&whole, &rows).map_err(|error| bug(&error.to_string()))?;
        let shadows = blocks * spec.shadows().block();
        let words = first_shadows(&prepared.membership, shadows);
        let units = prepared.membership.units();
        let membership = Membership::new(shadows as usize, units, &words)
            .ok_or_else(|| bug("membership does not fit the plan"))?;
        let design = Design::blocks(spec.shadows().block() as usize).with_lost(lost);
        let labels = Picked::of(&prepared.dataset, &rows);
        let all_units = prepared.dataset.record_units();
        let units: Vec<u32> = rows.iter().map(|&row| all_units[row as usize]).collect();
        let inputs = Inputs {
            source: &source,
            labels: labels.view(),
            units: &units,
            membership,
            design: &design,
            population: None,
            attributes: &[],
            seed: spec.seed(),
        };
        umbra_stats::provisional(&inputs).map_err(|error| bug(&error.to_string()))
    });
    let figures = figures.await.map_err(|error| bug(&error.to_string()))??;
    Ok(figures.map(|figures| figures.auc))
}

/// The columns cut to their first shadows.
fn first_shadows(membership: &Drawn, shadows: u32) -> Vec<u64> {
    let words = shadows.div_ceil(64) as usize;
    let last = if shadows.is_multiple_of(64) { u64::MAX } else { (1 << (shadows % 64)) - 1 };
    let mut bits = Vec::with_capacity(words * membership.units());
    for unit in 0..membership.units() {
        bits.extend_from_slice(&membership.column(unit)[..words]);
        if let Some(word) = bits.last_mut() {
            *word &= last;
        }
    }
    bits
}

/// A sorted sample of records, the same for the same seed.
fn sample(seed: &umbra_core::seed::Seed, records: u64) -> Vec<u32> {
    let records = u32::try_from(records).unwrap_or(u32::MAX);
    if records as usize <= SAMPLE {
        return (0..records).collect();
    }
    let mut stream = seed.stream(Purpose::ProvisionalSample, &[]);
    let mut rows = std::collections::BTreeSet::new();
    while rows.len() < SAMPLE {
        rows.insert(stream.below(u64::from(records)) as u32);
    }
    rows.into_iter().collect()
}

fn bug(what: &str) -> Fault {
    Fault::new(Domain::Bug, Retry::Never, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use umbra_core::digest::Digest;
    use umbra_core::seed::Seed;

    #[test]
    fn a_sample_is_sorted_distinct_and_repeatable() {
        let rows = sample(&Seed::new(5), 1_000_000);
        assert_eq!(rows.len(), SAMPLE);
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(rows, sample(&Seed::new(5), 1_000_000));
        assert_eq!(sample(&Seed::new(5), 3), [0, 1, 2]);
    }

    #[test]
    fn columns_are_cut_to_whole_blocks() {
        let units: Vec<_> = (0u8..50).map(|i| Digest::of(&[i])).collect();
        let membership = Drawn::draw(&Seed::new(1), 96, 16, units.iter());
        let words = first_shadows(&membership, 80);
        let cut = Membership::new(80, 50, &words).unwrap();
        for unit in 0..50 {
            let inside = (0..80).filter(|&shadow| cut.is_in(shadow, unit)).count();
            assert_eq!(inside, 40);
            assert_eq!(words[unit * 2 + 1] >> 16, 0, "nothing beyond the cut");
        }
    }
}
