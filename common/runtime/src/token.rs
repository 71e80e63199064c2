//! Bearer tokens: the shared secret of a single-machine or small installation.

use std::fmt;
use std::hint::black_box;
use std::path::Path;

use umbra_core::digest::Digest;

use crate::files::{self, FileError, Privacy};

/// The largest token file that is read, in bytes.
const FILE_LIMIT: u64 = 4096;

/// A bearer token: at least [`Token::MIN_LENGTH`] visible ASCII characters. `Debug` hides it.
#[derive(Clone)]
pub struct Token(String);

/// A token that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Too short, too long, or with other characters. The text itself is never repeated.
    #[error("{origin} holds no usable token: a token is 16 to 1024 visible ASCII characters on one line")]
    Malformed {
        /// Where the text came from.
        origin: String,
    },
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system has no source of random numbers.
    #[error("cannot make a token: {0}")]
    Entropy(#[from] getrandom::Error),
}

impl Token {
    /// The least length, in characters.
    pub const MIN_LENGTH: usize = 16;
    /// The greatest length, in characters.
    pub const MAX_LENGTH: usize = 1024;

    /// Checks a token that came from `origin`, such as "the variable UMBRA_TOKEN".
    ///
    /// # Errors
    /// [`TokenError::Malformed`].
    pub fn try_new(text: &str, origin: &str) -> Result<Self, TokenError> {
        let good = (Self::MIN_LENGTH..=Self::MAX_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenError::Malformed { origin: origin.to_owned() })
        }
    }

    /// A new token of 256 random bits.
    ///
    /// # Errors
    /// [`TokenError::Entropy`].
    pub fn generate() -> Result<Self, TokenError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        // A digest's text is the shortest way to hexadecimal.
        Ok(Self(Digest::from_bytes(bytes).to_string()))
    }

    /// Reads a token from a file; white space around it does not count.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let bytes = files::read_bounded(path, FILE_LIMIT)?;
        let origin = path.display().to_string();
        let text =
            std::str::from_utf8(&bytes).map_err(|_| TokenError::Malformed { origin: origin.clone() })?;
        Self::try_new(text.trim(), &origin)
    }

    /// Writes the token to a file that only the owner can read.
    ///
    /// # Errors
    /// [`TokenError::File`].
    pub fn write(&self, path: &Path) -> Result<(), TokenError> {
        Ok(files::write_atomic(path, format!("{}\n", self.0).as_bytes(), Privacy::Private)?)
    }

    /// The secret itself, to send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The value of an `authorization` header.
    pub fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether `offered` is this token, in a time that does not tell how much of it is right.
    pub fn matches(&self, offered: &[u8]) -> bool {
        // Digests have one length, and where two differ says nothing about the texts.
        let (ours, theirs) = (Digest::of(self.0.as_bytes()), Digest::of(offered));
        let pairs = ours.as_bytes().iter().zip(theirs.as_bytes());
        black_box(pairs.fold(0u8, |differ, (a, b)| black_box(differ | (a ^ b)))) == 0
    }

    /// Whether the value of an `authorization` header carries this token. The scheme's case does not
    /// count (RFC 9110, section 11.1).
    pub fn matches_header(&self, value: &[u8]) -> bool {
        value
            .split_at_checked(7)
            .is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case(b"bearer ") && self.matches(token))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_matches() {
        let token = Token::try_new("0123456789abcdef", "the test").unwrap();
        assert!(token.matches(b"0123456789abcdef"));
        assert!(
            token.matches_header(b"bearer 0123456789abcdef")
                && token.matches_header(token.header().as_bytes())
        );
        for wrong in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef "] {
            assert!(!token.matches(wrong.as_bytes()), "{wrong:?}");
            assert!(!token.matches_header(format!("Bearer {wrong}").as_bytes()), "{wrong:?}");
        }
        assert!(!token.matches_header(b"0123456789abcdef") && !token.matches_header("Béarer".as_bytes()));
    }

    #[test]
    fn a_token_survives_its_file_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let token = Token::generate().unwrap();
        assert_ne!(token.reveal(), Token::generate().unwrap().reveal());
        token.write(&path).unwrap();
        assert!(Token::read(&path).unwrap().matches(token.reveal().as_bytes()));
        assert!(!format!("{token:?}").contains(token.reveal()));
    }

    #[test]
    fn unusable_tokens_are_refused_without_repeating_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for wrong in [
            "",
            "short",
            "sixteen chars ok",
            "tab\tseparated-text",
            "пароль-пароль-пароль",
            &"x".repeat(1025),
        ] {
            std::fs::write(&path, wrong).unwrap();
            let message = Token::read(&path).unwrap_err().to_string();
            assert!(message.contains("holds no usable token"), "{message}");
            assert!(wrong.is_empty() || !message.contains(wrong), "{message}");
        }
    }
}
