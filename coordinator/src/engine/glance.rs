//! The cluster in numbers: for its gauges and for `umbra cluster status`.

use super::term::Term;

/// The cluster in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Glance {
    /// Packs that wait (of audits that have not ended), run, are reported, are done.
    pub packs: [u32; 4],
    /// Audits in all.
    pub audits: u32,
    /// Audits that have not ended.
    pub audits_running: u32,
    /// Connected workers.
    pub workers: u32,
    /// Their slots.
    pub slots: u32,
    /// Slots that are taken.
    pub slots_busy: u32,
    /// Slots that lost their device.
    pub slots_lost: u32,
    /// Connected workers in quarantine.
    pub quarantined: u32,
}

impl Term {
    /// The cluster in numbers, now.
    pub(super) fn glance(&self) -> Glance {
        let mut glance = Glance { audits: self.audits.len() as u32, ..Glance::default() };
        for status in self.audits.keys().filter_map(|id| self.cluster.audit(id)) {
            let (packs, is_over) = (status.counts, status.state.is_terminal());
            glance.audits_running += u32::from(!is_over);
            let waiting = if is_over { 0 } else { packs.waiting };
            let counts = [waiting, packs.running, packs.reported, packs.done];
            for (sum, count) in glance.packs.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        for worker in self.cluster.workers().filter(|worker| worker.connected) {
            glance.workers += 1;
            glance.slots += worker.slots;
            glance.slots_busy += worker.busy;
            glance.slots_lost += worker.lost;
            glance.quarantined += u32::from(worker.quarantine.is_some());
        }
        glance
    }

    /// Sets the cluster's gauges.
    pub(super) fn gauge(&self) {
        let glance = self.glance();
        let [waiting, running, reported, done] = glance.packs;
        let packs = [("waiting", waiting), ("running", running), ("reported", reported), ("done", done)];
        for (state, count) in packs {
            metrics::gauge!("umbra_packs", "state" => state).set(f64::from(count));
        }
        metrics::gauge!("umbra_worker_sessions").set(f64::from(glance.workers));
        metrics::gauge!("umbra_workers_quarantined").set(f64::from(glance.quarantined));
        metrics::gauge!("umbra_slots").set(f64::from(glance.slots));
        metrics::gauge!("umbra_slots_busy").set(f64::from(glance.slots_busy));
        metrics::gauge!("umbra_slots_lost").set(f64::from(glance.slots_lost));
    }
}
