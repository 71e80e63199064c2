//! What a coordinator measures: the one list from which `/metrics` is described, and to which docs/operations.md is held.

use umbra_runtime::blobs::BlobError;

/// How a measure behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It grows, and begins again with the process.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often which values occurred.
    Histogram,
}

impl Kind {
    /// As Prometheus names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Its name, in Prometheus' words: base units, counters end in `_total`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it is.
    pub help: &'static str,
}

const fn measure(
    kind: Kind,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Measure {
    Measure { name, kind, labels, help }
}

use Kind::{Counter, Gauge, Histogram};

const DEVICE: &[&str] = &["worker", "slot", "device"];

/// Everything a coordinator measures. The gauges of the cluster are those of its leader.
pub const MEASURES: &[Measure] = &[
    measure(Gauge, "umbra_leader", &[], "1 where this coordinator leads, else 0"),
    measure(Counter, "umbra_leader_changes_total", &[], "times this coordinator took the lead"),
    measure(Gauge, "umbra_packs", &["state"], "packs of audits by state"),
    measure(Gauge, "umbra_worker_sessions", &[], "workers that are connected"),
    measure(Gauge, "umbra_workers_quarantined", &[], "connected workers that get no packs after failures"),
    measure(Gauge, "umbra_slots", &[], "slots of connected workers"),
    measure(Gauge, "umbra_slots_busy", &[], "slots that are taken"),
    measure(Gauge, "umbra_slots_lost", &[], "slots of connected workers that lost their device"),
    measure(Gauge, "umbra_slot_memory_bytes", DEVICE, "memory of a slot's device"),
    measure(Gauge, "umbra_slot_memory_free_bytes", DEVICE, "free memory of a slot's device"),
    measure(Gauge, "umbra_slot_utilisation_ratio", DEVICE, "share of time a slot's device was busy of late"),
    measure(Counter, "umbra_packs_assigned_total", &[], "assignments of packs to slots"),
    measure(
        Counter,
        "umbra_packs_resumed_total",
        &[],
        "assignments that went on from a checkpoint of the pack's own",
    ),
    measure(
        Histogram,
        "umbra_pack_queue_seconds",
        &[],
        "time from when a pack began to wait to its assignment",
    ),
    measure(Counter, "umbra_shadows_trained_total", &[], "shadow models whose verified results count"),
    measure(Counter, "umbra_checkpoints_total", &[], "checkpoints that workers stored"),
    measure(Counter, "umbra_steps_recomputed_total", &[], "steps taken again after a pack was lost"),
    measure(Counter, "umbra_stale_fences_refused_total", &[], "stale fences that were met and refused"),
    measure(Counter, "umbra_ingested_bytes_total", &[], "bytes of verified logits"),
    measure(Counter, "umbra_worker_bytes_written_total", &[], "bytes of blobs written by workers"),
    measure(Counter, "umbra_blobs_collected_total", &[], "blobs deleted that no record named"),
    measure(Counter, "umbra_blob_errors_total", &["kind"], "operations on blobs that failed, by kind"),
    measure(Histogram, "umbra_step_seconds", &[], "time of a step of the scheduler"),
    measure(Histogram, "umbra_store_commit_seconds", &[], "time of a commit to the meta store"),
];

/// Describes all measures, and shows counters from the start, so that absence means an old coordinator and not zero.
pub fn describe() {
    for measure in MEASURES {
        match measure.kind {
            Counter => metrics::describe_counter!(measure.name, measure.help),
            Gauge => metrics::describe_gauge!(measure.name, measure.help),
            Histogram => metrics::describe_histogram!(measure.name, measure.help),
        }
        if measure.kind == Counter && measure.labels.is_empty() {
            metrics::counter!(measure.name).absolute(0);
        }
    }
    metrics::gauge!("umbra_leader").set(0.0);
}

/// Counts an operation on a blob that failed.
pub fn blob_failed(error: &BlobError) {
    metrics::counter!("umbra_blob_errors_total", "kind" => error.kind()).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_prometheus() {
        for Measure { name, kind, help, .. } in MEASURES {
            let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
            assert!(name.starts_with("umbra_") && name.split('_').all(is_word), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            assert_eq!(*kind == Histogram, name.ends_with("_seconds"), "{name}");
            let odd = ["_ms", "_milliseconds", "_minutes", "_kb", "_mb", "_percent"];
            assert!(!odd.iter().any(|unit| name.contains(unit)), "{name} is not in a base unit");
            assert!(!help.ends_with('.') && !help.is_empty(), "{name}");
        }
        let mut names: Vec<_> = MEASURES.iter().map(|measure| measure.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MEASURES.len());
    }

    /// Every name that is recorded is in the list, and docs/operations.md has a row of each.
    #[test]
    fn the_page_for_operators_has_a_row_of_every_measure() {
        let page = include_str!("../../docs/operations.md");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `umbra_")).collect();
        let expected: Vec<String> = MEASURES
            .iter()
            .map(|Measure { name, kind, labels, help }| {
                let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
                format!("| `{name}` | {} | {labels} | {help} |", kind.name())
            })
            .collect();
        assert_eq!(rows, expected);
    }
}
