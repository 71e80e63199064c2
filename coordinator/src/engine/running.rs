//! Running figures: asked for as blocks become complete.

use umbra_core::ids::AuditId;

use super::term::Term;
use crate::findings;

impl Term {
    /// Asks for running figures when another block is complete.
    pub(super) fn ask_provisional(&mut self, audit: &AuditId) {
        let Some(entry) = self.audits.get_mut(audit) else { return };
        let facts = &entry.task.facts;
        let results = || self.cluster.results(audit);
        // Results come in the order of packs: where they first skip one, the complete prefix ends.
        let prefix = results().zip(0..).take_while(|((pack, _), at)| pack.0 == *at).count();
        // Once every block is complete, the final figures are on their way.
        let Some(open) = facts.plan.packs.get(prefix) else { return };
        let blocks = open.block.0;
        if blocks <= entry.provisional_asked {
            return;
        }
        entry.provisional_asked = blocks;
        let (shell, task) = (self.shell.clone(), entry.task.clone());
        let packs = facts.plan.packs.iter().take_while(|pack| pack.block.0 < blocks).count();
        let results: Vec<_> = results().take(packs).map(|(pack, result)| (pack, result.clone())).collect();
        self.shell.drain.spawn(format!("running figures of {audit}"), async move {
            findings::provisional(&shell, &task, results, blocks).await;
        });
    }
}
