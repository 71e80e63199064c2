//! Audits and data sets as people and programs read them.

use serde_json::{Map, Value, json};
use umbra_core::digest::Digest;
use umbra_proto::v1::{self, data_shape::Form};

use crate::human;
use crate::output::{pairs, plain, table};

const STATES: [(v1::AuditState, &str); 5] = [
    (v1::AuditState::Running, "running"),
    (v1::AuditState::Analysing, "analysing"),
    (v1::AuditState::Succeeded, "succeeded"),
    (v1::AuditState::Failed, "failed"),
    (v1::AuditState::Cancelled, "cancelled"),
];

/// A state's word.
pub fn state(state: v1::AuditState) -> &'static str {
    STATES.iter().find(|row| row.0 == state).map_or("unknown", |row| row.1)
}

/// The state that a word means.
pub fn state_of(word: &str) -> Option<v1::AuditState> {
    STATES.iter().find(|row| row.1 == word).map(|row| row.0)
}

/// The words of all states.
pub fn state_words() -> [&'static str; 5] {
    STATES.map(|row| row.1)
}

/// A specification with the keys of AUDIT.toml, its seed replaced by the commitment to it.
pub fn spec(spec: &v1::AuditSpec, seed_commitment: &str) -> Value {
    let spec = spec.clone();
    let model = spec.model.unwrap_or_default();
    let training = spec.training.unwrap_or_default();
    let shadows = spec.shadows.unwrap_or_default();
    let statistics = spec.statistics.unwrap_or_default();
    let placement = spec.placement.unwrap_or_default();
    let augment = spec.augment.unwrap_or_default();
    let crossed = statistics.intersections.iter().map(|crossed| &crossed.attributes).collect::<Vec<_>>();
    let full = json!({
        "name": spec.name,
        "seed_commitment": seed_commitment,
        "dataset": { "name": spec.dataset },
        "model": {
            "architecture": model.architecture,
            "widths": model.widths,
            "width": model.width,
            "depth": model.depth,
        },
        "training": {
            "optimizer": training.optimizer,
            "learning_rate": training.learning_rate,
            "momentum": training.momentum,
            "nesterov": training.nesterov,
            "beta1": training.beta1,
            "beta2": training.beta2,
            "epsilon": training.epsilon,
            "weight_decay": training.weight_decay,
            "schedule": training.schedule,
            "warmup_epochs": training.warmup_epochs,
            "batch": training.batch,
            "epochs": training.epochs,
            "step_epochs": training.step_epochs,
            "step_factor": training.step_factor,
            "loss": training.loss,
            "dropout": training.dropout,
            "label_smoothing": training.label_smoothing,
            "class_weights": training.class_weights,
            "clip_norm": training.clip_norm,
            "ema": training.ema,
        },
        "augment": {
            "rotate": augment.rotate,
            "flip": augment.flip,
            "shift": augment.shift,
            "brightness": augment.brightness,
            "contrast": augment.contrast,
            "scale": augment.scale,
            "noise": augment.noise,
            "drop": augment.drop,
        },
        "shadows": { "count": shadows.count, "block": shadows.block, "population": shadows.population },
        "queries": { "views": spec.queries.and_then(|queries| queries.views) },
        "statistics": {
            "attacks": statistics.attacks,
            "variance": statistics.variance,
            "center": statistics.center,
            "counts": statistics.counts,
            "offline": statistics.offline,
            "temperature": statistics.temperature,
            "fdr": statistics.fdr,
            "looks": statistics.looks,
            "bootstrap": statistics.bootstrap,
            "delta": statistics.delta,
            "intersections": crossed,
        },
        "placement": {
            "pack": placement.pack,
            "checkpoint_steps": placement.checkpoint_steps,
            "priority": placement.priority,
            "weight": placement.weight,
            "max_slots": placement.max_slots,
            "keep_weights": placement.keep_weights,
        },
    });
    without_nulls(full)
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let kept = entries.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// An audit for programs.
pub fn audit(audit: &v1::Audit) -> Value {
    let fault = audit.fault.as_ref().map(|fault| {
        let lower = |name: &str, prefix: &str| name.trim_start_matches(prefix).to_lowercase();
        json!({
            "domain": lower(fault.domain().as_str_name(), "FAULT_DOMAIN_"),
            "retry": lower(fault.retry().as_str_name(), "FAULT_RETRY_"),
            "message": fault.message,
        })
    });
    json!({
        "id": audit.id,
        "state": state(audit.state()),
        "progress": audit.progress.as_ref().map(progress),
        "waiting_reason": audit.waiting_reason,
        "fault": fault,
        "numerics": audit.numerics,
        "data_digest": audit.data_digest,
        "shape": audit.shape.as_ref().map(shape),
        "create_time": audit.create_time.map(|time| time.to_string()),
        "end_time": audit.end_time.map(|time| time.to_string()),
        "revision": audit.revision,
        "spec": audit.spec.as_ref().map(|s| spec(s, &audit.seed_commitment)),
    })
}

/// How far an audit is, for programs.
pub fn progress(progress: &v1::AuditProgress) -> Value {
    let provisional = progress.provisional.as_ref();
    json!({
        "shadows": progress.shadows,
        "shadows_done": progress.shadows_done,
        "shadows_lost": progress.shadows_lost,
        "packs": progress.packs,
        "packs_waiting": progress.packs_waiting,
        "packs_running": progress.packs_running,
        "packs_done": progress.packs_done,
        "steps": progress.steps,
        "steps_done": progress.steps_done,
        "samples_per_second": progress.samples_per_second,
        "seconds_left": progress.seconds_left,
        "queue_position": progress.queue_position,
        "provisional": provisional.map(|p| json!({ "blocks": p.blocks, "auc": p.auc })),
    })
}

/// A shape for programs.
pub fn shape(shape: &v1::DataShape) -> Value {
    let form = match shape.form {
        None => json!("table"),
        Some(Form::Image(v1::ImageForm { height, width, channels })) => {
            json!({ "height": height, "width": width, "channels": channels })
        }
        Some(Form::Signal(v1::SignalForm { samples, leads })) => {
            json!({ "samples": samples, "leads": leads })
        }
    };
    json!({
        "records": shape.records,
        "units": shape.units,
        "features": shape.features,
        "classes": shape.classes,
        "form": form,
        "several_labels": shape.several_labels,
    })
}

/// A data set for programs.
pub fn dataset(set: &v1::Dataset) -> Value {
    let blob = set.blob.as_ref();
    json!({
        "name": set.name,
        "digest": set.digest,
        "shape": set.shape.as_ref().map(shape),
        "bytes": blob.map(|blob| blob.size),
        "sha256": blob.and_then(|blob| Digest::from_slice(&blob.sha256).ok()).map(|sha| sha.to_string()),
        "create_time": set.create_time.map(|time| time.to_string()),
    })
}

/// An audit for people.
pub fn audit_text(audit: &v1::Audit) -> String {
    let progress = audit.progress.unwrap_or_default();
    let shape = audit.shape.unwrap_or_default();
    let spec = audit.spec.clone().unwrap_or_default();
    let mut rows = vec![
        ("audit", plain(&audit.id)),
        ("state", state(audit.state()).to_owned()),
        ("data set", format!("{} ({})", plain(&spec.dataset), shape_text(&shape))),
        ("shadows", shadows_text(&progress)),
    ];
    if !audit.waiting_reason.is_empty() {
        rows.push(("waits", plain(&audit.waiting_reason)));
    }
    if let Some(queue) = queue_text(&progress) {
        rows.push(("queue", queue));
    }
    if progress.seconds_left > 0.0 {
        rows.push(("left", format!("about {}", human::duration(progress.seconds_left))));
    }
    if let Some(fault) = &audit.fault {
        rows.push(("fault", plain(&fault.message)));
    }
    rows.push(("numerics", plain(&audit.numerics)));
    rows.extend(audit.create_time.map(|time| ("submitted", time.to_string())));
    rows.extend(audit.end_time.map(|time| ("ended", time.to_string())));
    pairs(&rows)
}

/// Many audits for people.
pub fn audits_text(audits: &[v1::Audit]) -> String {
    if audits.is_empty() {
        return "no audits".to_owned();
    }
    let rows: Vec<Vec<String>> = audits
        .iter()
        .map(|audit| {
            let progress = audit.progress.unwrap_or_default();
            let dataset = audit.spec.as_ref().map_or("", |spec| &spec.dataset);
            vec![
                plain(&audit.id),
                state(audit.state()).to_owned(),
                format!("{}/{}", progress.shadows_done, progress.shadows),
                left_text(&progress),
                plain(dataset),
                audit.create_time.map(|time| time.to_string()).unwrap_or_default(),
            ]
        })
        .collect();
    table(&["AUDIT", "STATE", "SHADOWS", "LEFT", "DATA SET", "SUBMITTED"], &rows)
}

/// `38 s`, `2 audits ahead, 38 s`, or nothing.
fn left_text(progress: &v1::AuditProgress) -> String {
    let time = (progress.seconds_left > 0.0).then(|| human::duration(progress.seconds_left));
    queue_text(progress).into_iter().chain(time).collect::<Vec<_>>().join(", ")
}

/// Many data sets for people.
pub fn datasets_text(sets: &[v1::Dataset]) -> String {
    if sets.is_empty() {
        return "no data sets".to_owned();
    }
    let rows: Vec<Vec<String>> = sets
        .iter()
        .map(|set| {
            let shape = set.shape.unwrap_or_default();
            vec![
                plain(&set.name),
                human::thousands(shape.records),
                human::thousands(shape.units),
                shape.features.to_string(),
                shape.classes.to_string(),
                human::bytes(set.blob.as_ref().map_or(0, |blob| blob.size)),
                set.create_time.map(|time| time.to_string()).unwrap_or_default(),
            ]
        })
        .collect();
    table(&["DATA SET", "RECORDS", "UNITS", "FEATURES", "CLASSES", "SIZE", "IMPORTED"], &rows)
}

/// A data set for people.
pub fn dataset_text(set: &v1::Dataset) -> String {
    let shape = set.shape.unwrap_or_default();
    let mut rows = vec![
        ("data set", plain(&set.name)),
        ("shape", shape_text(&shape)),
        ("digest", plain(&set.digest)),
        ("size", human::bytes(set.blob.as_ref().map_or(0, |blob| blob.size))),
    ];
    rows.extend(set.create_time.map(|time| ("imported", time.to_string())));
    pairs(&rows)
}

/// "9,105 records of 9,105 units, 51 features, 2 classes"; of images "28 x 28 pixels, 1 channel".
pub fn shape_text(shape: &v1::DataShape) -> String {
    let form = match shape.form {
        None => human::count(u64::from(shape.features), "feature"),
        Some(Form::Image(v1::ImageForm { height, width, channels })) => {
            format!("{height} x {width} pixels, {}", human::count(u64::from(channels), "channel"))
        }
        Some(Form::Signal(v1::SignalForm { samples, leads })) => {
            format!(
                "{} of {}",
                human::count(u64::from(samples), "sample"),
                human::count(u64::from(leads), "lead")
            )
        }
    };
    format!(
        "{} of {}, {form}, {} {}",
        human::count(shape.records, "record"),
        human::count(shape.units, "unit"),
        shape.classes,
        if shape.several_labels { "labels" } else { "classes" }
    )
}

/// What is before an audit that has nothing at work.
pub fn queue_text(progress: &v1::AuditProgress) -> Option<String> {
    let ahead = progress.queue_position.filter(|_| progress.packs_running == 0)?;
    Some(match ahead {
        0 => "next".to_owned(),
        ahead => format!("{} ahead", human::count(ahead.into(), "audit")),
    })
}

fn shadows_text(progress: &v1::AuditProgress) -> String {
    let mut text = format!("{} of {} trained", progress.shadows_done, progress.shadows);
    if progress.shadows_lost > 0 {
        text.push_str(&format!(", {} lost", progress.shadows_lost));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_words_both_ways() {
        for word in state_words() {
            assert_eq!(state(state_of(word).unwrap()), word);
        }
        assert_eq!(state(v1::AuditState::Unspecified), "unknown");
        assert_eq!(state_of("done"), None);
    }

    #[test]
    fn an_audit_is_shown_to_programs_without_its_seed() {
        let spec = v1::AuditSpec {
            name: "a".into(),
            seed: 4711,
            shadows: Some(v1::ShadowSpec { count: Some(64), ..Default::default() }),
            ..Default::default()
        };
        let message = v1::Audit {
            id: "a-1".into(),
            spec: Some(spec),
            seed_commitment: "c0ffee".into(),
            state: v1::AuditState::Failed.into(),
            fault: Some(v1::Fault {
                domain: v1::FaultDomain::Data.into(),
                retry: v1::FaultRetry::Never.into(),
                message: "one class".into(),
            }),
            ..Default::default()
        };
        let shown = audit(&message);
        assert_eq!(shown["state"], "failed");
        assert_eq!(shown["fault"], json!({ "domain": "data", "retry": "never", "message": "one class" }));
        assert_eq!(shown["spec"]["seed_commitment"], "c0ffee");
        assert_eq!(shown["spec"]["shadows"], json!({ "count": 64 }));
        assert!(!shown.to_string().contains("4711"));
    }

    #[test]
    fn lists_are_tables_for_people() {
        let set = v1::Dataset {
            name: "icu".into(),
            shape: Some(v1::DataShape {
                records: 9105,
                units: 9000,
                features: 51,
                classes: 2,
                ..Default::default()
            }),
            blob: Some(v1::Blob { size: 2048, ..Default::default() }),
            ..Default::default()
        };
        let text = datasets_text(&[set]);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("DATA SET  RECORDS  UNITS  FEATURES  CLASSES  SIZE     IMPORTED"));
        assert_eq!(lines.next(), Some("icu       9,105    9,000  51        2        2.0 KiB"));
        assert_eq!(audits_text(&[]), "no audits");
    }
}
