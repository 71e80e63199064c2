//! What must hold of everything that is stored, checked at every transaction.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use umbra_coordinator::store::{Epoch, Op, Txn};
use umbra_proto::store::v1::{StoredAudit, StoredCluster, StoredPack, StoredPackState};
use umbra_proto::v1::AuditState;

/// What was stored last, and what broke a rule.
#[derive(Default)]
pub struct Rules {
    epoch: Option<Epoch>,
    next_fence: i64,
    packs: BTreeMap<String, StoredPack>,
    audits: BTreeMap<String, AuditState>,
    /// Fences that were ever given, each once.
    fences: BTreeSet<i64>,
    /// Transactions seen.
    pub seen: u64,
    pub broken: Vec<String>,
}

impl Rules {
    /// Looks at a transaction that happens.
    pub fn see(&mut self, txn: &Txn) {
        self.seen += 1;
        self.rule(self.epoch.is_none_or(|last| last <= txn.epoch), || {
            format!("epoch {} writes after a later one", txn.epoch)
        });
        self.epoch = Some(txn.epoch);
        for op in &txn.ops {
            let name = op.key().as_str().to_owned();
            match op {
                Op::Put { value, .. } if name == "cluster" => {
                    self.cluster(StoredCluster::decode(value.clone()))
                }
                Op::Put { value, .. } if name.starts_with("pack/") => {
                    self.pack(name, StoredPack::decode(value.clone()));
                }
                Op::Put { value, .. } if name.starts_with("audit/") => {
                    self.audit(name, StoredAudit::decode(value.clone()));
                }
                Op::Delete { .. } => {
                    self.packs.remove(&name);
                    self.audits.remove(&name);
                }
                Op::Put { .. } => {}
            }
        }
    }

    fn rule(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(what());
        }
    }

    fn cluster(&mut self, stored: Result<StoredCluster, prost::DecodeError>) {
        let stored = stored.expect("it was encoded just now");
        self.rule(stored.next_fence >= self.next_fence, || "the next fence goes back".to_owned());
        self.next_fence = stored.next_fence;
    }

    fn pack(&mut self, name: String, stored: Result<StoredPack, prost::DecodeError>) {
        use StoredPackState::{Done, Failed, Leased, Reported, Waiting};
        let stored = stored.expect("it was encoded just now");
        let before = self.packs.get(&name);
        let was = before.map_or(Waiting, StoredPack::state);
        let (is, fence) = (stored.state(), stored.fence);
        let held = before.map_or(0, |before| before.fence);
        let legal = match (was, is) {
            (Waiting, Waiting | Leased | Done | Failed) => true,
            // Lost and given anew in one step.
            (Leased | Reported, Leased) => held <= fence,
            (Leased, Waiting | Reported | Failed) => true,
            (Reported, Reported) => held == fence,
            (Reported, Waiting | Done | Failed) => true,
            (Done, Done) => before.is_some_and(|before| before.result == stored.result),
            _ => false,
        };
        self.rule(legal, || format!("{name}: {was:?} becomes {is:?}"));
        if is == Leased && !(was == Leased && held == fence) {
            let new = self.fences.insert(fence);
            self.rule(new, || format!("{name}: fence {fence} is given twice"));
        }
        if matches!(is, Reported | Done) && fence > 0 {
            self.rule(was == is || held == fence, || {
                format!("{name}: fence {fence} reports in place of {held}")
            });
        }
        self.packs.insert(name, stored);
    }

    fn audit(&mut self, name: String, stored: Result<StoredAudit, prost::DecodeError>) {
        use AuditState::{Analysing, Cancelled, Failed, Running, Succeeded};
        let is = stored.expect("it was encoded just now").state();
        let was = self.audits.insert(name.clone(), is);
        let legal = match was {
            None | Some(Running) => true,
            Some(Analysing) => is != Running,
            Some(was @ (Succeeded | Failed | Cancelled)) => is == was,
            Some(_) => false,
        };
        self.rule(legal, || format!("{name}: {was:?} becomes {is:?}"));
    }
}
