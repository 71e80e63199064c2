//! SHA-256 digests: the names of data sets, memberships, results and blobs.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest (32 bytes), written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct NotADigest;

impl Digest {
    /// The plain SHA-256 of `bytes`: what `sha256sum` prints.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Wraps 32 bytes that are a digest already.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a digest from a slice of exactly 32 bytes.
    ///
    /// # Errors
    /// [`NotADigest`] for any other length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, NotADigest> {
        bytes.try_into().map(Self).map_err(|_| NotADigest)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hexadecimal digits, for names that people read.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(NotADigest);
        }
        let nibble = |c: u8| (c as char).to_digit(16).ok_or(NotADigest);
        let mut bytes = [0u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (nibble(pair[0])? * 16 + nibble(pair[1])?) as u8;
        }
        Ok(Self(bytes))
    }
}

/// A digest over named fields, unambiguous by construction: every field is written with its name's
/// and its value's length, so no two different sequences of fields hash alike.
#[derive(Clone)]
pub struct FieldHasher(Sha256);

impl FieldHasher {
    /// Starts a digest for one purpose; digests of different domains never meet.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.put("domain", domain.as_bytes());
        hasher
    }

    /// Adds a field of bytes.
    pub fn put(&mut self, name: &str, value: &[u8]) {
        self.begin(name, value.len() as u64);
        self.append(value);
    }

    /// Begins a field of `length` bytes that [`FieldHasher::append`] gives in pieces, exactly so many.
    pub fn begin(&mut self, name: &str, length: u64) {
        self.0.update((name.len() as u64).to_le_bytes());
        self.0.update(name.as_bytes());
        self.0.update(length.to_le_bytes());
    }

    /// The next bytes of the field that was begun.
    pub fn append(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds an integer field.
    pub fn put_u64(&mut self, name: &str, value: u64) {
        self.put(name, &value.to_le_bytes());
    }

    /// Adds a float field by its bits, -0.0 counted as 0.0.
    pub fn put_f64(&mut self, name: &str, value: f64) {
        self.put(name, &(value + 0.0).to_bits().to_le_bytes());
    }

    /// The digest of all fields so far.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// A SHA-256 over bytes that arrive in pieces; equals [`Digest::of`] of the whole.
#[derive(Clone, Default)]
pub struct StreamHasher(Sha256);

impl StreamHasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything so far.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_is_sha256() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), expected);
        assert_eq!(expected.parse::<Digest>().unwrap(), Digest::of(b"abc"));
        assert!("zz".repeat(32).parse::<Digest>().is_err());
        assert!("ab".parse::<Digest>().is_err());
    }

    #[test]
    fn pieces_hash_like_the_whole() {
        let mut hasher = StreamHasher::default();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), Digest::of(b"abc"));
    }

    #[test]
    fn fields_cannot_run_together() {
        let digest = |fields: &[(&str, &str)]| {
            let mut hasher = FieldHasher::new("test");
            fields.iter().for_each(|(name, value)| hasher.put(name, value.as_bytes()));
            hasher.finish()
        };
        assert_ne!(digest(&[("a", "bc")]), digest(&[("ab", "c")]));
        assert_ne!(digest(&[("a", ""), ("b", "")]), digest(&[("a", "b")]));
    }
}
