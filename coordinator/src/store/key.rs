//! Names of stored values.

use std::fmt;

/// The name of a value: a path of UTF-8 segments, such as `audit/support2-1a2b3c4d`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// The common start of keys: what [`super::MetaStore::range`] lists.
///
/// It matches by characters, so it should end with `/` unless it is empty (every key).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// A text that cannot be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a key: use 1 to 512 bytes of non-empty segments joined by /, without control characters"
)]
pub struct InvalidKey(String);

impl Key {
    /// The greatest length in bytes.
    pub const MAX_BYTES: usize = 512;

    /// Checks and wraps a key.
    ///
    /// # Errors
    /// [`InvalidKey`] unless it is 1 to 512 bytes of non-empty segments joined by `/`, without control
    /// characters.
    pub fn try_new(text: impl Into<String>) -> Result<Self, InvalidKey> {
        let text = text.into();
        if is_path(&text) && text.split('/').all(|segment| !segment.is_empty()) {
            Ok(Self(text))
        } else {
            Err(InvalidKey(shown(&text)))
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Prefix {
    /// The prefix of every key.
    pub const fn all() -> Self {
        Self(String::new())
    }

    /// Checks and wraps a prefix.
    ///
    /// # Errors
    /// [`InvalidKey`] if no key can start so.
    pub fn try_new(text: impl Into<String>) -> Result<Self, InvalidKey> {
        let text = text.into();
        let body = text.strip_suffix('/').unwrap_or(&text);
        let good = text.is_empty() || is_path(&text) && body.split('/').all(|segment| !segment.is_empty());
        if good { Ok(Self(text)) } else { Err(InvalidKey(shown(&text))) }
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a key starts so.
    pub fn holds(&self, key: &str) -> bool {
        key.starts_with(&self.0)
    }
}

fn is_path(text: &str) -> bool {
    (1..=Key::MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_prefixes_are_checked() {
        for good in ["a", "audit/x-1", "pack/ä/0", &"k".repeat(512)] {
            assert!(Key::try_new(good).is_ok() && Prefix::try_new(good).is_ok(), "{good}");
        }
        for bad in ["/", "/a", "a//b", "a\0b", "a\nb", &"k".repeat(513)] {
            assert!(Key::try_new(bad).is_err() && Prefix::try_new(bad).is_err(), "{bad:?}");
        }
        assert!(Key::try_new("").is_err() && Key::try_new("a/").is_err());
        assert!(Prefix::try_new("audit/").unwrap().holds("audit/x") && Prefix::all().holds("x"));
    }
}
