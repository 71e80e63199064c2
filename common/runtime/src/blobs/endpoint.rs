//! Endpoints of object stores: whether bytes would go over a network in the clear.

use std::net::IpAddr;

/// What an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `https://`.
    Encrypted,
    /// `http://` on this machine.
    PlainLoopback,
    /// `http://` elsewhere.
    Plain,
    /// No URL.
    Unknown,
}

pub(super) fn classify(text: &str) -> Endpoint {
    let Some((scheme, rest)) = text.split_once("://") else { return Endpoint::Unknown };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Endpoint::Unknown;
    }
    match scheme {
        "https" => Endpoint::Encrypted,
        "http" if is_loopback(authority) => Endpoint::PlainLoopback,
        "http" => Endpoint::Plain,
        _ => Endpoint::Unknown,
    }
}

fn is_loopback(authority: &str) -> bool {
    // What stands before an @ is no host.
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for (text, expected) in [
            ("https://s3.eu-central-1.amazonaws.com", Endpoint::Encrypted),
            ("http://127.0.0.1:9000", Endpoint::PlainLoopback),
            ("http://127.8.1.2", Endpoint::PlainLoopback),
            ("http://localhost:9000/", Endpoint::PlainLoopback),
            ("http://[::1]:9000", Endpoint::PlainLoopback),
            ("http://10.0.0.7:9000", Endpoint::Plain),
            ("http://localhost.example.org", Endpoint::Plain),
            ("http://127.0.0.1@evil.example.org", Endpoint::Plain),
            ("http://store", Endpoint::Plain),
            ("127.0.0.1:9000", Endpoint::Unknown),
            ("ftp://127.0.0.1", Endpoint::Unknown),
            ("http://", Endpoint::Unknown),
            ("https://a b", Endpoint::Unknown),
        ] {
            assert_eq!(classify(text), expected, "{text}");
        }
    }
}
