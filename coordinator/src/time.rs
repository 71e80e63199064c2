//! Times for people.

use prost_types::Timestamp;

/// Milliseconds since 1970 as a timestamp.
pub fn timestamp(unix_ms: u64) -> Timestamp {
    Timestamp {
        seconds: i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX),
        nanos: (unix_ms % 1000) as i32 * 1_000_000,
    }
}
