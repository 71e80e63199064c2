//! Names of blobs and of uploads.

use std::fmt;

use umbra_core::digest::{Digest, FieldHasher};

/// The name of a blob: a path of segments of `a-z 0-9 . _ -`, none starting with a dot, so that every
/// key is a plain path on every file system and in every object store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

/// The name of an upload that may be resumed: one segment of a [`BlobKey`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(String);

/// A text that names no blob or upload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a blob's name: use at most 16 segments of 1 to 128 of a-z, 0-9, ., _ and -, none starting \
     with a dot, joined by /"
)]
pub struct InvalidBlobKey(String);

impl BlobKey {
    /// Most segments of a key.
    pub const MAX_SEGMENTS: usize = 16;
    /// Most bytes of a segment.
    pub const MAX_SEGMENT_BYTES: usize = 128;
    /// Most bytes of a key.
    pub const MAX_BYTES: usize = 512;

    /// Checks and wraps a key.
    ///
    /// # Errors
    /// [`InvalidBlobKey`] for any other character, an empty or over-long segment, a leading dot, or a
    /// key that is too long.
    pub fn try_new(text: impl Into<String>) -> Result<Self, InvalidBlobKey> {
        let text = text.into();
        let good = text.len() <= Self::MAX_BYTES
            && text.split('/').count() <= Self::MAX_SEGMENTS
            && text.split('/').all(is_segment);
        if good { Ok(Self(text)) } else { Err(invalid(&text)) }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl UploadId {
    /// Checks and wraps an id.
    ///
    /// # Errors
    /// [`InvalidBlobKey`] unless it is one segment of a key.
    pub fn try_new(text: impl Into<String>) -> Result<Self, InvalidBlobKey> {
        let text = text.into();
        if is_segment(&text) { Ok(Self(text)) } else { Err(invalid(&text)) }
    }

    /// The upload of these bytes to this key: whoever sends them again resumes it.
    pub fn derive(key: &BlobKey, digest: &Digest) -> Self {
        let mut hasher = FieldHasher::new("umbra upload v1");
        hasher.put("key", key.as_str().as_bytes());
        hasher.put("digest", digest.as_bytes());
        Self(hasher.finish().to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_segment(text: &str) -> bool {
    (1..=BlobKey::MAX_SEGMENT_BYTES).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

fn invalid(text: &str) -> InvalidBlobKey {
    InvalidBlobKey(text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_with_paths_are_not_keys() {
        for good in ["a", "data/0a.umbra", "audits/x-1/packs/3/f7.logits", "a..b", &"s".repeat(128)] {
            assert!(BlobKey::try_new(good).is_ok(), "{good}");
        }
        let deep = ["d"; 17].join("/");
        let long = [&*"s".repeat(127); 5].join("/");
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            "..",
            "../a",
            "a/../b",
            "a/.",
            ".hidden",
            "a/.hidden",
            "A",
            "ä",
            "a b",
            "a\\b",
            "a#1",
            "a%2e",
            "a:b",
            "a\0",
            "a\n",
            "~",
            "*",
            &"s".repeat(129),
            &deep,
            &long,
        ] {
            assert!(BlobKey::try_new(bad).is_err(), "{bad:?}");
        }
        assert!(UploadId::try_new("a").is_ok() && UploadId::try_new("a/b").is_err());
        assert!(UploadId::try_new("..").is_err());
    }

    #[test]
    fn an_upload_belongs_to_a_key_and_its_bytes() {
        let key = |text| BlobKey::try_new(text).unwrap();
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_ne!(UploadId::derive(&key("x"), &a), UploadId::derive(&key("x"), &b));
        assert_ne!(UploadId::derive(&key("x"), &a), UploadId::derive(&key("y"), &a));
        let id = UploadId::derive(&key("x"), &a);
        assert_eq!(UploadId::try_new(id.as_str()).unwrap(), id);
    }
}
