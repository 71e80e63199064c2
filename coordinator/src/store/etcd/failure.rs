//! Why a call to etcd gave no result, sorted by what that means for the caller.

use std::error::Error as _;

use etcd_client::Error;
use tonic::{Code, ConnectError, Status};

/// A call without a result.
#[derive(Debug)]
pub enum Failure {
    /// etcd says no, and means it: nothing happened. Trying again is of no use before somebody acts.
    Refused(String),
    /// The lease is not there any more; nothing happened.
    NoLease,
    /// The answer is larger than is taken; for reads.
    TooLong,
    /// The moment that was asked for is not kept any more; for reads.
    Compacted,
    /// No answer, or one that another endpoint may give otherwise.
    Away {
        /// Why.
        reason: String,
        /// Whether what was asked may have happened even so.
        sent: bool,
    },
}

impl Failure {
    /// A call that took too long.
    pub fn late(sent: bool) -> Self {
        Self::Away { reason: "no answer in time".to_owned(), sent }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::GRpcStatus(status) => of_status(&status),
            Error::LeaseKeepAliveError(text) if text.contains("not found") => Self::NoLease,
            Error::InvalidArgs(text) => Self::Refused(text),
            Error::TransportError(error) => {
                Self::Away { reason: with_hint(&deepest(&error)), sent: !is_unconnected(&error) }
            }
            error => Self::Away { reason: error.to_string(), sent: true },
        }
    }
}

fn of_status(status: &Status) -> Failure {
    let text = status.message();
    let again = |reason: String| Failure::Away { reason, sent: false };
    match status.code() {
        Code::NotFound if text.contains("lease not found") => Failure::NoLease,
        Code::OutOfRange if text.contains("compacted") => Failure::Compacted,
        Code::OutOfRange if text.contains("message length") => Failure::TooLong,
        // A token of before roles or passwords changed: a new one may do.
        Code::InvalidArgument if text.contains("old") => again(text.to_owned()),
        Code::Unauthenticated => again(text.to_owned()),
        Code::InvalidArgument if text.contains("authentication failed") => {
            Failure::Refused(format!("{text}: see user and password"))
        }
        Code::InvalidArgument if text.contains("user name is empty") => {
            Failure::Refused(format!("{text}: it asks who is calling, so give a user and a password"))
        }
        Code::FailedPrecondition if text.contains("authentication is not enabled") => {
            Failure::Refused(format!("{text}: give no user, or turn authentication on there"))
        }
        Code::PermissionDenied => Failure::Refused(format!(
            "{text}: grant the user's role reading and writing of all keys under the prefix"
        )),
        Code::ResourceExhausted if text.contains("space exceeded") => Failure::Refused(format!(
            "{text}: compact and defragment it, disarm its alarm, or give it a larger quota"
        )),
        Code::ResourceExhausted => again(text.to_owned()),
        Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound | Code::OutOfRange => {
            Failure::Refused(text.to_owned())
        }
        _ => Failure::Away { reason: reason(status), sent: !is_unconnected(status) },
    }
}

/// Whether no connection came about, so that nothing can have been sent.
fn is_unconnected(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|error| error.is::<ConnectError>())
}

fn reason(status: &Status) -> String {
    match status.source() {
        Some(source) => with_hint(&deepest(source)),
        None => with_hint(status.message()),
    }
}

/// The innermost cause says most: "connection refused" rather than "transport error".
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source()).last().map_or_else(String::new, |error| {
        let text = error.to_string();
        if text.is_empty() { "the connection broke".to_owned() } else { text }
    })
}

/// What is known to lie behind some texts of the libraries below.
fn with_hint(text: &str) -> String {
    let hints = [
        ("InvalidContentType", "it answers without TLS: use http://, or turn TLS on there"),
        ("corrupt message", "it answers without TLS: use http://, or turn TLS on there"),
        ("UnknownIssuer", "its certificate comes from no authority that is trusted here"),
        ("NotValidForName", "its certificate is for other names than the endpoint's"),
        ("not valid for name", "its certificate is for other names than the endpoint's"),
        ("CertificateRequired", "it asks for a certificate: give one and its key"),
        ("BadCertificate", "it asks for a certificate that it trusts: give one and its key"),
        ("UnknownCA", "it does not trust the authority of the certificate given"),
        ("tls handshake eof", "if it answers without TLS, use http://, or turn TLS on there"),
        // What a server with TLS does to one who talks to it without.
        ("connection reset", "if it speaks TLS, use https:// and give its authority"),
        ("connection closed", "if it speaks TLS, use https:// and give its authority"),
        ("broken pipe", "if it speaks TLS, use https:// and give its authority"),
        ("frame with invalid size", "if it speaks TLS, use https:// and give its authority"),
    ];
    match hints.iter().find(|(mark, _)| text.contains(mark)) {
        Some((_, hint)) => format!("{text}: {hint}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_says_is_sorted_by_what_it_means() {
        // Codes and texts of etcd's api/v3rpc/rpctypes/error.go, release 3.5.
        let failure = |code, text: &str| Failure::from(Error::GRpcStatus(Status::new(code, text)));
        assert!(matches!(failure(Code::NotFound, "etcdserver: requested lease not found"), Failure::NoLease));
        let compacted = "etcdserver: mvcc: required revision has been compacted";
        assert!(matches!(failure(Code::OutOfRange, compacted), Failure::Compacted));
        for (code, text, remedy) in [
            (
                Code::InvalidArgument,
                "etcdserver: authentication failed, invalid user ID or password",
                "password",
            ),
            (Code::PermissionDenied, "etcdserver: permission denied", "role"),
            (Code::FailedPrecondition, "etcdserver: authentication is not enabled", "no user"),
            (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded", "quota"),
            (Code::InvalidArgument, "etcdserver: request is too large", "too large"),
        ] {
            let Failure::Refused(reason) = failure(code, text) else { panic!("{text}") };
            assert!(reason.starts_with(text) && reason.contains(remedy), "{reason}");
        }
        for (code, text, may_have_happened) in [
            (Code::Unavailable, "etcdserver: leader changed", true),
            (Code::Unavailable, "etcdserver: request timed out", true),
            (Code::Unknown, "transport error", true),
            (Code::Unauthenticated, "etcdserver: invalid auth token", false),
            (Code::InvalidArgument, "etcdserver: revision of auth store is old", false),
            (Code::ResourceExhausted, "etcdserver: too many requests", false),
        ] {
            let Failure::Away { reason, sent } = failure(code, text) else { panic!("{text}") };
            assert_eq!((reason.as_str(), sent), (text, may_have_happened));
        }
    }
}
