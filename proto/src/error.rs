//! Errors on the wire: a status with google.rpc details that programs can read.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};
use umbra_core::spec::{Violation, Violations};

/// The domain of all error reasons.
pub const DOMAIN: &str = "umbra";

/// Why a call was refused, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The message breaks its contract; see the field violations.
    InvalidArgument,
    /// There is no such resource.
    NotFound,
    /// The name is taken by something else.
    AlreadyExists,
    /// The resource's state does not allow it.
    WrongState,
    /// The fence is stale: another attempt owns the pack.
    StaleFence,
    /// The two sides speak different protocols.
    VersionSkew,
    /// Bytes do not match their digest.
    DigestMismatch,
    /// A bound was exceeded.
    TooLarge,
    /// The token is missing or wrong.
    Unauthenticated,
    /// The coordinator is going away or not ready yet: try again.
    Unavailable,
    /// Another coordinator leads: call that one; see [`not_leader`].
    NotLeader,
    /// A mistake in Umbra or its environment; the log says more.
    Internal,
}

impl Reason {
    const ALL: [(Self, &'static str, Code); 12] = [
        (Self::InvalidArgument, "INVALID_ARGUMENT", Code::InvalidArgument),
        (Self::NotFound, "NOT_FOUND", Code::NotFound),
        (Self::AlreadyExists, "ALREADY_EXISTS", Code::AlreadyExists),
        (Self::WrongState, "WRONG_STATE", Code::FailedPrecondition),
        (Self::StaleFence, "STALE_FENCE", Code::FailedPrecondition),
        (Self::VersionSkew, "VERSION_SKEW", Code::FailedPrecondition),
        (Self::DigestMismatch, "DIGEST_MISMATCH", Code::DataLoss),
        (Self::TooLarge, "TOO_LARGE", Code::ResourceExhausted),
        (Self::Unauthenticated, "UNAUTHENTICATED", Code::Unauthenticated),
        (Self::Unavailable, "UNAVAILABLE", Code::Unavailable),
        (Self::NotLeader, "NOT_LEADER", Code::Unavailable),
        (Self::Internal, "INTERNAL", Code::Internal),
    ];

    fn row(self) -> (&'static str, Code) {
        let row = Self::ALL.iter().find(|row| row.0 == self).expect("every reason has its row");
        (row.1, row.2)
    }

    /// The reason's name on the wire.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The status code it travels with.
    pub fn code(self) -> Code {
        self.row().1
    }

    /// The reason of a status that carries one.
    pub fn of(status: &Status) -> Option<Self> {
        let info = status.get_error_details().error_info()?.clone();
        let row = Self::ALL.iter().find(|row| info.domain == DOMAIN && row.1 == info.reason)?;
        Some(row.0)
    }
}

/// A status with its reason: `message` is one sentence that names what, where and the remedy.
pub fn refuse(reason: Reason, message: impl Into<String>) -> Status {
    let details = ErrorDetails::with_error_info(reason.name(), DOMAIN, []);
    Status::with_error_details(reason.code(), message, details)
}

/// The header of a refusal that names the leader's address, for connections that follow it.
pub const LEADER_HEADER: &str = "umbra-leader";

/// The refusal of a coordinator that does not lead: with the leader's address, if one is known, in the error's
/// metadata (`leader`) and in [`LEADER_HEADER`].
pub fn not_leader(leader: Option<&str>) -> Status {
    let Some(leader) = leader else {
        let message = "no coordinator leads now: try again in a moment";
        return refuse(Reason::NotLeader, message);
    };
    let reason = Reason::NotLeader;
    let metadata = [("leader".to_owned(), leader.to_owned())];
    let details = ErrorDetails::with_error_info(reason.name(), DOMAIN, metadata);
    let message = format!("this coordinator does not lead: call {leader}");
    let mut status = Status::with_error_details(reason.code(), message, details);
    if let Ok(value) = leader.parse() {
        status.metadata_mut().insert(LEADER_HEADER, value);
    }
    status
}

/// A refusal of one field.
pub fn bad_field(field: &str, message: impl Into<String>) -> Status {
    let mut violations = Violations::default();
    violations.push(field, message);
    bad_fields(&violations)
}

/// A refusal that lists every mistake.
pub fn bad_fields(violations: &Violations) -> Status {
    let reason = Reason::InvalidArgument;
    let fields: Vec<_> =
        violations.iter().map(|v| FieldViolation::new(v.field.as_str(), v.message.as_str())).collect();
    let mut details = ErrorDetails::with_bad_request(fields);
    details.set_error_info(reason.name(), DOMAIN, []);
    Status::with_error_details(reason.code(), violations.to_string(), details)
}

/// The field violations a status carries.
pub fn violations(status: &Status) -> Vec<Violation> {
    let details = status.get_error_details();
    let fields = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    fields.into_iter().map(|v| Violation { field: v.field, message: v.description }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_wire() {
        for (reason, name, code) in Reason::ALL {
            let status = refuse(reason, "what happened and what to do");
            assert_eq!((status.code(), Reason::of(&status)), (code, Some(reason)), "{name}");
        }
        assert_eq!(Reason::of(&Status::internal("plain")), None);
    }

    #[test]
    fn a_follower_names_the_leader() {
        let status = not_leader(Some("https://b:7443"));
        assert_eq!(Reason::of(&status), Some(Reason::NotLeader));
        assert_eq!(status.metadata().get(LEADER_HEADER).unwrap(), "https://b:7443");
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["leader"], "https://b:7443");
        assert!(not_leader(None).metadata().get(LEADER_HEADER).is_none());
        // A name that no header can hold is left out of it.
        assert!(not_leader(Some("b\nc")).metadata().get(LEADER_HEADER).is_none());
    }

    #[test]
    fn violations_survive_the_wire() {
        let mut wrong = Violations::default();
        wrong.push("training.batch", "0 is out of range");
        wrong.push("name", "empty");
        let status = bad_fields(&wrong);
        assert_eq!(violations(&status), wrong.iter().cloned().collect::<Vec<_>>());
        assert_eq!(Reason::of(&status), Some(Reason::InvalidArgument));
    }
}
