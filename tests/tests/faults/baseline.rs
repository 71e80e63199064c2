//! What the findings are when nothing goes wrong.

use std::sync::OnceLock;

use umbra_tests::{Audit, Cluster, Findings, turn};

/// The findings of the undisturbed run: two workers, one slot each. Computed once.
///
/// # Panics
/// If it does not succeed.
pub fn undisturbed() -> &'static Findings {
    static FINDINGS: OnceLock<Findings> = OnceLock::new();
    FINDINGS.get_or_init(|| {
        let cluster = Cluster::start(30);
        let _workers = [cluster.worker("a", 1), cluster.worker("b", 1)];
        let id = cluster.submit(&Audit::medium());
        let findings = cluster.findings(&id);
        let metrics = cluster.metrics();
        // The baseline is one only if nothing went wrong in it, and there were eight packs and checkpoints.
        assert_eq!(metrics.of("umbra_packs_assigned_total"), Audit::medium().packs() as f64);
        for none in
            ["umbra_packs_resumed_total", "umbra_steps_recomputed_total", "umbra_stale_fences_refused_total"]
        {
            assert_eq!(metrics.of(none), 0.0, "{none}");
        }
        assert!(metrics.of("umbra_checkpoints_total") >= Audit::medium().packs() as f64);
        cluster.assert_healthy();
        findings
    })
}

#[test]
fn an_undisturbed_cluster_ends_with_findings() {
    let _turn = turn();
    assert_eq!(Audit::medium().packs(), 8);
    undisturbed();
}
