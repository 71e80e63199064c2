//! From a call's status to an exit code and a sentence.

use std::error::Error;

use tonic::{Code, Status};
use umbra_proto::error::Reason;
use umbra_runtime::causes::with_causes;

use crate::exit::{Exit, Failure};
use crate::output::plain;

/// The failure that a status from the coordinator at `server` is.
pub(super) fn failure(server: &str, status: &Status) -> Failure {
    let said = plain(status.message());
    if is_lost(status) {
        let why = if said.is_empty() { causes(status) } else { said };
        let remedy = "see that it runs there (https:// where it has TLS)";
        let message = format!("lost the coordinator at {server}: {why}; {remedy}");
        return Failure::new(Exit::Unreachable, message);
    }
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => {
            let message = format!("{server} refuses: {said}; pass the right --token-file");
            Failure::new(Exit::Refused, message)
        }
        Code::InvalidArgument => Failure::usage(said),
        Code::Unimplemented => {
            Failure::failed(format!("{server} does not know this call: it is no coordinator of this version"))
        }
        _ if said.is_empty() => Failure::failed(format!("{server} failed without a word: see its log")),
        _ => Failure::failed(said),
    }
}

/// Whether the coordinator could not be reached or went away, so that trying again may help.
pub(super) fn is_lost(status: &Status) -> bool {
    match Reason::of(status) {
        Some(reason) => matches!(reason, Reason::Unavailable | Reason::NotLeader),
        None => match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => true,
            // A broken transport is an error with a cause; one that was said has none.
            Code::Unknown | Code::Internal => status.source().is_some() || is_transport(status.message()),
            _ => false,
        },
    }
}

fn is_transport(message: &str) -> bool {
    ["h2 protocol error", "transport error", "connection error"].iter().any(|mark| message.contains(mark))
}

/// An error with its causes, for a terminal.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    plain(&with_causes(&error.to_string(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use umbra_proto::error::refuse;

    #[test]
    fn statuses_become_exit_codes() {
        let exit = |status: &Status| failure("http://s", status).exit();
        for (reason, expected) in [
            (Reason::InvalidArgument, Exit::Usage),
            (Reason::NotFound, Exit::Failed),
            (Reason::AlreadyExists, Exit::Failed),
            (Reason::WrongState, Exit::Failed),
            (Reason::Unauthenticated, Exit::Refused),
            (Reason::Unavailable, Exit::Unreachable),
            (Reason::Internal, Exit::Failed),
            (Reason::DigestMismatch, Exit::Failed),
        ] {
            assert_eq!(exit(&refuse(reason, "why")), expected, "{reason:?}");
        }
        assert_eq!(exit(&Status::unavailable("tcp connect error")), Exit::Unreachable);
        assert_eq!(exit(&Status::unknown("transport error")), Exit::Unreachable);
        assert_eq!(exit(&Status::internal("it broke")), Exit::Failed);
        assert_eq!(exit(&Status::unimplemented("")), Exit::Failed);
        assert!(failure("http://s", &Status::internal("")).to_string().contains("without a word"));
    }

    #[test]
    fn what_the_other_side_says_cannot_steer_the_terminal() {
        let status = refuse(Reason::NotFound, "no audit \u{1b}[31mx");
        assert_eq!(failure("http://s", &status).to_string(), "no audit \u{fffd}[31mx");
    }
}
