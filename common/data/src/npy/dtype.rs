//! What the items of an array are.

use std::fmt;

/// The longest item that is read, in bytes: 1024 characters of four bytes.
const MOST: usize = 4096;

/// The kind of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// True or false, one byte.
    Bool,
    /// A whole number with a sign, of 1, 2, 4 or 8 bytes.
    Signed,
    /// A whole number without a sign, of 1, 2, 4 or 8 bytes.
    Unsigned,
    /// An IEEE number of 2, 4 or 8 bytes.
    Float,
    /// Text, four bytes a character, filled up with NUL.
    Unicode,
    /// Bytes, filled up with NUL.
    Bytes,
}

/// The type of an array's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dtype {
    /// The kind.
    pub kind: Kind,
    /// Bytes of an item; at least 1.
    pub size: usize,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
}

impl Dtype {
    /// Reads a `descr` such as `<f4`, or says what is wrong with it.
    pub(super) fn parse(descr: &str) -> Result<Self, String> {
        let unknown = || format!("it holds items of the type '{}'; {REMEDY}", shorten(descr));
        let (order, rest) = match descr.as_bytes().first() {
            Some(b'<' | b'>' | b'|' | b'=') => descr.split_at(1),
            _ => ("|", descr),
        };
        let big_endian = order == ">";
        let (kind, digits) = rest.split_at_checked(1).ok_or_else(unknown)?;
        let is_number = (1..=7).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_number { digits.parse::<usize>().ok() } else { None };
        let (kind, size) = match (kind, number) {
            ("?", _) if digits.is_empty() => (Kind::Bool, 1),
            ("b", Some(1)) => (Kind::Bool, 1),
            ("i", Some(size @ (1 | 2 | 4 | 8))) => (Kind::Signed, size),
            ("u", Some(size @ (1 | 2 | 4 | 8))) => (Kind::Unsigned, size),
            ("f", Some(size @ (2 | 4 | 8))) => (Kind::Float, size),
            ("O", _) => {
                return Err(
                    "it holds Python objects, which are not read; convert it to numbers or text with \
                            .astype(...) before saving it"
                        .to_owned(),
                );
            }
            ("U", Some(length)) => (Kind::Unicode, length * 4),
            ("S" | "a", Some(length)) => (Kind::Bytes, length),
            _ => return Err(unknown()),
        };
        if size == 0 {
            return Err("its texts have no characters at all; save the names themselves".to_owned());
        }
        if size > MOST {
            return Err(format!(
                "its texts have room for {size} bytes, names have at most {MOST}; shorten them"
            ));
        }
        Ok(Self { kind, size, big_endian })
    }

    /// Whether items are whole numbers or true and false.
    pub fn is_integer(&self) -> bool {
        matches!(self.kind, Kind::Bool | Kind::Signed | Kind::Unsigned)
    }

    /// Whether items are text.
    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Unicode | Kind::Bytes)
    }
}

const REMEDY: &str = "save numbers (float32, float64, integers, bool) or text";

/// A foreign text as it may stand in a sentence.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl fmt::Display for Dtype {
    /// As numpy names the type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = 8 * self.size;
        match self.kind {
            Kind::Bool => write!(f, "bool"),
            Kind::Signed => write!(f, "int{bits}"),
            Kind::Unsigned => write!(f, "uint{bits}"),
            Kind::Float => write!(f, "float{bits}"),
            Kind::Unicode => write!(f, "text of {} characters", self.size / 4),
            Kind::Bytes => write!(f, "text of {} bytes", self.size),
        }
    }
}
