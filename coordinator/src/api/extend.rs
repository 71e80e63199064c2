//! A larger audit out of one that is there: the same specification with more whole blocks of shadows. What a
//! shadow is trained on and how depends on its number and its block alone, so that the old shadows are the
//! new audit's first ones, and their results are used again.

use tonic::Status;
use umbra_core::lifecycle::AuditState;
use umbra_core::spec::AuditSpec;
use umbra_proto::convert::request_id;
use umbra_proto::error::{Reason, bad_field, bad_fields, refuse};
use umbra_proto::v1;

use super::refusals::{audit_id, gone, no_audit};
use crate::engine::Command;
use crate::facts::AuditFacts;
use crate::limits;
use crate::shell::Shell;

/// The larger audit and the class it is pinned to, which is the old one's.
///
/// # Errors
/// A status if there is no such audit, it ended without success, or it does not grow by whole blocks.
pub async fn larger(shell: &Shell, request: &v1::ExtendAuditRequest) -> Result<(AuditFacts, String), Status> {
    let id = audit_id("id", &request.id)?;
    let known = shell.engine.ask(|reply| Command::Facts { audit: id.clone(), reply }).await.map_err(gone)?;
    let (old, numerics, state) = known.ok_or_else(|| no_audit(id.as_str()))?;
    if matches!(state, AuditState::Failed | AuditState::Cancelled) {
        let message = format!("audit {id} ended without findings: submit it with more shadows instead");
        return Err(refuse(Reason::WrongState, message));
    }
    let shadows = old.spec.shadows();
    let (count, block) = (shadows.count(), shadows.block());
    if request.shadows <= count || !request.shadows.is_multiple_of(block) {
        let message = format!(
            "{} shadows are not {count} and some whole blocks of {block}: use {} or another multiple of {block} above",
            request.shadows,
            count.saturating_add(block)
        );
        return Err(bad_field("shadows", message));
    }
    let mut draft = old.spec.to_draft();
    draft.shadows.count = Some(request.shadows);
    let spec = AuditSpec::try_new(&draft).map_err(|wrong| bad_fields(&wrong))?;
    limits::check(&spec, &old.dataset.shape, shell.config.max_dataset_bytes)?;
    let request_id = request_id(&spec, &old.dataset.digest);
    Ok((AuditFacts::new(spec, request_id, old.dataset.clone(), shell.clock.unix_ms()), numerics))
}
