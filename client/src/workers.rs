//! Workers as people and programs read them.

use serde_json::{Value, json};
use umbra_proto::v1::{self, SlotState};

use crate::human;
use crate::output::{plain, table};

/// A worker for programs. What a device does not tell is null.
pub fn worker(worker: &v1::Worker) -> Value {
    let (seconds, reason) = (worker.quarantine_seconds, &worker.quarantine_reason);
    let quarantine = (seconds > 0).then(|| json!({ "seconds": seconds, "reason": reason }));
    json!({
        "id": worker.id,
        "host": worker.host,
        "version": worker.version,
        "connect_time": worker.connect_time.map(|time| time.to_string()),
        "draining": worker.draining,
        "quarantine": quarantine,
        "slots": worker.slots.iter().map(slot).collect::<Vec<Value>>(),
    })
}

fn slot(slot: &v1::WorkerSlot) -> Value {
    let device = slot.device.as_ref();
    let memory = device.filter(|device| device.memory_bytes > 0);
    let lost = device.map(|device| &device.lost).filter(|reason| !reason.is_empty());
    let held = !slot.audit_id.is_empty();
    json!({
        "slot": slot.slot,
        "state": state(slot.state()),
        "audit": held.then_some(&slot.audit_id),
        "pack": held.then_some(slot.pack),
        "lost": lost,
        "device": device.map(|device| &device.name),
        "memory_bytes": memory.map(|device| device.memory_bytes),
        "memory_free_bytes": memory.map(|device| device.memory_free_bytes),
        "utilisation": device.and_then(|device| device.utilisation),
    })
}

fn state(state: SlotState) -> &'static str {
    match state {
        SlotState::Free => "free",
        SlotState::Busy => "busy",
        SlotState::Lost => "lost",
        SlotState::Unspecified => "unknown",
    }
}

/// Many workers for people, a row a slot.
pub fn text(workers: &[v1::Worker]) -> String {
    if workers.is_empty() {
        return "no workers are connected".to_owned();
    }
    let rows = workers.iter().flat_map(|worker| worker.slots.iter().map(|slot| row(worker, slot)));
    let header = ["WORKER", "HOST", "VERSION", "CONNECTED", "SLOT", "DEVICE", "MEMORY FREE", "USED", "STATE"];
    table(&header, &rows.collect::<Vec<_>>())
}

fn row(worker: &v1::Worker, slot: &v1::WorkerSlot) -> Vec<String> {
    let device = slot.device.clone().unwrap_or_default();
    let memory = match device.memory_bytes {
        0 => "-".to_owned(),
        all => format!("{} of {}", human::bytes(device.memory_free_bytes), human::bytes(all)),
    };
    let used = device.utilisation.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0));
    let name = if device.name.is_empty() { "-".to_owned() } else { plain(&device.name) };
    vec![
        plain(&worker.id),
        plain(&worker.host),
        plain(&worker.version),
        worker.connect_time.map(|time| time.to_string()).unwrap_or_default(),
        slot.slot.to_string(),
        name,
        memory,
        used,
        doing(worker, slot, &device.lost),
    ]
}

/// What a slot is doing, in words.
fn doing(worker: &v1::Worker, slot: &v1::WorkerSlot, lost: &str) -> String {
    let mut words = state(slot.state()).to_owned();
    if !slot.audit_id.is_empty() {
        words += &format!(" with pack {} of {}", slot.pack, plain(&slot.audit_id));
    }
    if worker.draining {
        words += ", draining";
    }
    if worker.quarantine_seconds > 0 && slot.state() == SlotState::Free {
        let wait = human::duration(worker.quarantine_seconds.into());
        words = format!("gets no packs for {wait} after failures: {}", plain(&worker.quarantine_reason));
    }
    if !lost.is_empty() {
        words += &format!(": {}", plain(lost));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers() -> Vec<v1::Worker> {
        let slot = |slot, state: SlotState, audit: &str, device| v1::WorkerSlot {
            slot,
            state: state.into(),
            audit_id: audit.into(),
            pack: 7,
            device,
        };
        let gpu = |lost: &str| {
            Some(v1::SlotDevice {
                name: "NVIDIA H100 80GB HBM3".into(),
                memory_bytes: 80 << 30,
                memory_free_bytes: 5 << 29,
                utilisation: Some(0.994),
                lost: lost.into(),
            })
        };
        let first = v1::Worker {
            id: "w-1".into(),
            host: "here".into(),
            version: "0.1.0".into(),
            connect_time: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            draining: false,
            quarantine_seconds: 0,
            quarantine_reason: String::new(),
            slots: vec![
                slot(0, SlotState::Busy, "a-1", gpu("")),
                slot(1, SlotState::Lost, "", gpu("it fell off\nthe bus")),
            ],
        };
        let earlier = vec![slot(0, SlotState::Free, "", None)];
        let second = v1::Worker { id: "w-22".into(), draining: true, slots: earlier, ..first.clone() };
        vec![first, second]
    }

    #[test]
    fn people_read_a_row_a_slot() {
        let lines = [
            "WORKER  HOST  VERSION  CONNECTED             SLOT  DEVICE                 MEMORY FREE          USED  STATE",
            "w-1     here  0.1.0    2026-01-02T03:04:05Z  0     NVIDIA H100 80GB HBM3  2.5 GiB of 80.0 GiB  99 %  busy with pack 7 of a-1",
            "w-1     here  0.1.0    2026-01-02T03:04:05Z  1     NVIDIA H100 80GB HBM3  2.5 GiB of 80.0 GiB  99 %  lost: it fell off\u{fffd}the bus",
            "w-22    here  0.1.0    2026-01-02T03:04:05Z  0     -                      -                    -     free, draining",
        ];
        assert_eq!(text(&workers()), lines.join("\n"));
        let mut second = workers().remove(1);
        (second.draining, second.quarantine_seconds, second.quarantine_reason) =
            (false, 60, "no disk".into());
        let shown = text(std::slice::from_ref(&second));
        assert!(shown.ends_with("gets no packs for 1 min 0 s after failures: no disk"), "{shown}");
        assert_eq!(worker(&second)["quarantine"], json!({ "seconds": 60, "reason": "no disk" }));
        assert_eq!(text(&[]), "no workers are connected");
    }

    #[test]
    fn programs_read_what_is_told_and_null_for_the_rest() {
        let [first, second] = &workers()[..] else { panic!("there are two") };
        let (busy, lost) = (&worker(first)["slots"][0], &worker(first)["slots"][1]);
        assert_eq!(
            (&busy["state"], &busy["audit"], &busy["pack"]),
            (&"busy".into(), &"a-1".into(), &7.into())
        );
        assert_eq!(
            (&lost["state"], &lost["audit"], &lost["pack"]),
            (&"lost".into(), &Value::Null, &Value::Null)
        );
        assert_eq!(lost["lost"], "it fell off\nthe bus");
        assert_eq!((&busy["lost"], &busy["memory_bytes"]), (&Value::Null, &(80_u64 << 30).into()));
        let plain = &worker(second)["slots"][0];
        for key in ["device", "memory_bytes", "memory_free_bytes", "utilisation", "lost"] {
            assert!(plain.get(key).is_some_and(Value::is_null), "{key}");
        }
    }
}
