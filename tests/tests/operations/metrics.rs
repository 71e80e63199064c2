//! `/metrics` of a cluster that has worked.

use umbra_coordinator::{Kind, MEASURES};
use umbra_tests::{Audit, Cluster, turn};

use crate::exposition::{Family, Sample, read};

/// Buckets grow, and the last one holds everything.
fn is_histogram(family: &Family) -> bool {
    let of = |suffix: &str| -> Vec<&Sample> {
        let name = format!("{}{suffix}", family.name);
        family.samples.iter().filter(|sample| sample.name == name).collect()
    };
    let (buckets, sums, counts) = (of("_bucket"), of("_sum"), of("_count"));
    let bounds: Vec<f64> = buckets.iter().map(|bucket| bound(bucket)).collect();
    sums.len() == 1
        && counts.len() == 1
        && bounds.is_sorted()
        && bounds.last() == Some(&f64::INFINITY)
        && buckets.is_sorted_by(|a, b| a.value <= b.value)
        && buckets.last().map(|bucket| bucket.value) == Some(counts[0].value)
}

fn bound(bucket: &Sample) -> f64 {
    match bucket.label("le") {
        Some("+Inf") => f64::INFINITY,
        text => text.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN),
    }
}

#[test]
fn every_line_is_of_prometheus_and_in_the_list() {
    let _turn = turn();
    let cluster = Cluster::start(30);
    let audit = Audit::tiny();
    let _worker = cluster.worker("worker", 1);
    let id = cluster.submit(&audit);
    cluster.findings(&id);
    cluster.gauge("umbra_slots_busy", 0.0);

    let families = read(&cluster.exposition()).unwrap_or_else(|wrong| panic!("{wrong}"));
    for family in &families {
        let measure = MEASURES.iter().find(|measure| measure.name == family.name);
        let measure = measure.unwrap_or_else(|| panic!("{} is not in the list", family.name));
        assert_eq!((family.kind.as_str(), family.help.as_str()), (measure.kind.name(), measure.help));
        assert!(!family.samples.is_empty(), "{} is empty", family.name);
        for sample in &family.samples {
            let labels = sample.labels.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "le");
            assert_eq!(labels.collect::<Vec<_>>(), measure.labels, "{sample:?}");
            assert!(sample.value >= 0.0, "{sample:?}");
        }
        if measure.kind == Kind::Histogram {
            assert!(is_histogram(family), "{family:?}");
        }
    }
    // What has no labels is there; of what has some, the states of packs.
    for measure in MEASURES.iter().filter(|measure| measure.labels.is_empty()) {
        assert!(families.iter().any(|family| family.name == measure.name), "no {}", measure.name);
    }
    let metrics = cluster.metrics();
    let (packs, shadows) = (audit.packs() as f64, f64::from(audit.shadows));
    for (name, value) in [
        ("umbra_leader", 1.0),
        ("umbra_leader_changes_total", 1.0),
        ("umbra_worker_sessions", 1.0),
        ("umbra_slots", 1.0),
        ("umbra_packs_assigned_total", packs),
        ("umbra_pack_queue_seconds_count", packs),
        ("umbra_shadows_trained_total", shadows),
        ("umbra_packs{state=\"done\"}", packs),
    ] {
        assert_eq!(metrics.of(name), value, "{name}");
    }
    assert!(metrics.of("umbra_ingested_bytes_total") > 0.0);
}
