//! What a refused call means for the one who called.

use tonic::{Code, Status};
use umbra_proto::error::Reason;
use umbra_runtime::causes::with_causes;

/// What to do after a refused call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The coordinator or the network is away: call again later.
    Again,
    /// The fence is stale: stop.
    Stale,
    /// The same call would be refused again.
    Refused,
}

/// Reads a status. What no reason explains is judged by its code; codes that transports and proxies
/// make up count as a coordinator that is away.
pub(super) fn verdict(status: &Status) -> Verdict {
    match Reason::of(status) {
        Some(Reason::StaleFence) => return Verdict::Stale,
        // The session says in words what is wrong with the credentials, and ends the worker.
        Some(Reason::Unavailable | Reason::NotLeader | Reason::Internal | Reason::Unauthenticated) => {
            return Verdict::Again;
        }
        Some(
            Reason::InvalidArgument
            | Reason::NotFound
            | Reason::AlreadyExists
            | Reason::WrongState
            | Reason::VersionSkew
            | Reason::DigestMismatch
            | Reason::TooLarge,
        ) => return Verdict::Refused,
        None => {}
    }
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss => Verdict::Refused,
        _ => Verdict::Again,
    }
}

/// What a status says, with the causes that the transport keeps beside the message.
pub(crate) fn explain(status: &Status) -> String {
    with_causes(status.message(), status)
}

#[cfg(test)]
mod tests {
    use umbra_proto::error::refuse;

    use super::*;

    #[test]
    fn transport_errors_are_tried_again_and_refusals_are_not() {
        let cases = [
            (refuse(Reason::StaleFence, "m"), Verdict::Stale),
            (refuse(Reason::Unavailable, "m"), Verdict::Again),
            (refuse(Reason::TooLarge, "m"), Verdict::Refused),
            (Status::unknown("h2 protocol error"), Verdict::Again),
            (Status::resource_exhausted("slow down"), Verdict::Again),
            (Status::not_found("m"), Verdict::Refused),
        ];
        for (status, expected) in cases {
            assert_eq!(verdict(&status), expected, "{status:?}");
        }
    }
}
