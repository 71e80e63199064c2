//! The audits of a model cluster: what is asked for, where it may go, and what must have come of it.

use std::collections::BTreeMap;

use umbra_core::cluster::{AuditDemand, Event, Existing, Record, RecordKey};
use umbra_core::ids::{AuditId, PackId, PackIndex, SlotId};
use umbra_core::lifecycle::{AuditState, PackPhase, PackState};

use crate::world::World;

impl World {
    /// A pack goes to a slot that is large enough for what is known of it, and within its audit's limit.
    pub fn check_size(&mut self, pack: &PackId, slot: &SlotId) {
        let told = self.memory.get(&slot.worker).and_then(|memory| memory.get(slot.slot as usize));
        let has = told.copied().unwrap_or(0);
        let Some(Record::Audit(audit)) = self.store.get(&RecordKey::Audit(pack.audit.clone())) else {
            panic!("pack {pack} of no audit was assigned");
        };
        let Some(Record::Pack(record)) = self.store.get(&RecordKey::Pack(pack.clone())) else {
            panic!("pack {pack} was assigned without a record");
        };
        let fits = has == 0 || (has >= audit.demand.memory_bytes && has > record.too_small);
        assert!(fits, "{pack} went to {slot} of {has} bytes: {audit:?}, {record:?}");
        let of_audit = self.store.range(RecordKey::Pack(PackId { pack: PackIndex(0), ..pack.clone() })..);
        let of_audit = of_audit.map_while(|(_, record)| match record {
            Record::Pack(record) if record.id.audit == pack.audit => Some(record),
            _ => None,
        });
        let running = of_audit.filter(|record| record.state.phase() == PackPhase::Leased).count() as u32;
        let most = audit.demand.max_slots;
        assert!(most == 0 || running <= most, "{pack} is one of {running} on a slot, {most} are the most");
        if record.too_small > 0 {
            self.tally.count("assigned to a larger slot");
        }
    }

    pub fn submit(&mut self) {
        let names = ["a0", "a1", "a2", "a3"];
        let audit = AuditId::try_new(names[self.chance.below(names.len())]).unwrap();
        self.submissions += 1;
        let large = self.chance.one_in(60);
        let packs = if large { self.chance.between(101, 260) } else { self.chance.between(0, 10) } as u32;
        let numerics = if self.chance.one_in(2) { "x" } else { "y" }.to_owned();
        let priority = self.chance.between(0, 1) as i32;
        let weight = self.chance.between(0, 3) as u32;
        let mut existing = BTreeMap::new();
        if self.chance.one_in(3) {
            for pack in (0..packs).map(PackIndex) {
                let id = PackId { audit: audit.clone(), pack };
                if large || self.chance.one_in(2) {
                    let result = self.blobs.write_old_result(&id, self.submissions);
                    existing.insert(pack, Existing::Result(result));
                } else if self.chance.one_in(2) {
                    existing.insert(pack, Existing::Weights(self.blobs.write_old_weights(&id)));
                }
            }
            self.tally.count("submitted with results");
        }
        self.tally.count("submitted");
        // Half of them ask for as much as any machine may have.
        let memory_bytes = [0, 0, 8, 16][self.chance.below(4)] << 30;
        let max_slots = if self.chance.one_in(3) { self.chance.between(1, 3) as u32 } else { 0 };
        let demand = AuditDemand { packs, numerics, priority, weight, max_slots, memory_bytes };
        self.step(Event::AuditSubmitted { audit, demand, existing });
    }

    /// Every audit in the store, with its state.
    pub fn audits(&self) -> Vec<(AuditId, AuditState, u32)> {
        let audits = self.store.iter().filter_map(|(key, record)| match (key, record) {
            (RecordKey::Audit(id), Record::Audit(record)) => {
                Some((id.clone(), record.state, record.demand.packs))
            }
            _ => None,
        });
        audits.collect()
    }

    /// Every finished audit counted every pack once, from a result that exists.
    pub fn check_results(&self) {
        for (audit, state, packs) in self.audits() {
            if state == AuditState::Succeeded {
                self.oracle.check_finished(&audit, packs);
            }
        }
        for record in self.store.values() {
            if let Record::Pack(pack) = record
                && let PackState::Done { fence, result } = &pack.state
            {
                self.blobs.read_result(&pack.id, *fence, result);
            }
        }
    }
}
