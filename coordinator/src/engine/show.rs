//! An audit as clients see it.

use umbra_core::cluster::{AuditStatus, Cluster};
use umbra_core::ids::AuditId;
use umbra_core::lifecycle::AuditState;
use umbra_proto::convert::{fault_to, shape_to, spec_to};
use umbra_proto::v1;

use super::outlook::Outlook;
use super::progress::Totals;
use super::records::state_to;
use crate::facts::AuditFacts;
use crate::time::timestamp;

/// What of an audit is neither in its facts nor in the scheduler.
pub struct Extras<'a> {
    /// The class it is pinned to.
    pub numerics: &'a str,
    /// The counters of packs at work.
    pub totals: Totals,
    /// Its place in the queue for slots, while it queues.
    pub outlook: Option<Outlook>,
    /// Running figures.
    pub provisional: Option<&'a v1::Provisional>,
    /// Unix time in milliseconds of its end.
    pub ended: Option<u64>,
}

/// An audit as clients see it: the seed is left out.
pub fn view(cluster: &Cluster, facts: &AuditFacts, status: &AuditStatus, extras: &Extras<'_>) -> v1::Audit {
    let mut spec = spec_to(&facts.spec);
    spec.seed = 0;
    v1::Audit {
        id: facts.id.to_string(),
        spec: Some(spec),
        seed_commitment: facts.spec.seed().commitment().to_string(),
        state: state_to(status.state).into(),
        progress: Some(progress(cluster, facts, status, extras)),
        waiting_reason: waiting(status),
        fault: status.fault.as_ref().map(fault_to),
        numerics: extras.numerics.to_owned(),
        data_digest: facts.dataset.digest.to_string(),
        shape: Some(shape_to(&facts.dataset.shape)),
        create_time: Some(timestamp(facts.created)),
        end_time: extras.ended.map(timestamp),
        revision: 0,
    }
}

fn waiting(status: &AuditStatus) -> String {
    let idle = status.state == AuditState::Running && status.counts.running == 0;
    let reason = status.waiting.as_ref().filter(|_| idle);
    reason.map(ToString::to_string).unwrap_or_default()
}

fn progress(
    cluster: &Cluster,
    facts: &AuditFacts,
    status: &AuditStatus,
    extras: &Extras<'_>,
) -> v1::AuditProgress {
    let mut trained = 0;
    let mut lost = 0;
    for (pack, result) in cluster.results(&facts.id) {
        trained += facts.plan.packs.get(pack.0 as usize).map_or(0, |pack| pack.shadows.len() as u32);
        lost += result.lost.len() as u32;
    }
    let counts = status.counts;
    let shadows = facts.spec.shadows().count();
    let steps = u64::from(shadows).saturating_mul(facts.plan.steps);
    let totals = extras.totals;
    let trained_steps = u64::from(trained).saturating_mul(facts.plan.steps);
    let steps_done = trained_steps.saturating_add(totals.steps).min(steps);
    let left = (steps - steps_done) as f64;
    let going = status.state == AuditState::Running && totals.steps_per_second > 0.0;
    v1::AuditProgress {
        packs: facts.plan.packs.len() as u32,
        packs_waiting: counts.waiting,
        packs_running: counts.running,
        packs_done: counts.done + counts.reported,
        shadows,
        shadows_done: trained.saturating_add(totals.shadows).min(shadows),
        steps,
        steps_done,
        samples_per_second: if going { totals.samples_per_second } else { 0.0 },
        seconds_left: match extras.outlook {
            _ if going => left / totals.steps_per_second,
            outlook => outlook.map_or(0.0, |outlook| outlook.seconds),
        },
        queue_position: extras.outlook.map(|outlook| outlook.position),
        provisional: extras.provisional.cloned(),
        shadows_lost: lost,
    }
}

/// Whether an audit's view can change by itself: its packs are at work.
pub fn is_live(cluster: &Cluster, id: &AuditId) -> bool {
    cluster.audit(id).is_some_and(|status| !status.state.is_terminal())
}
