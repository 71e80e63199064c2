//! What lies where in etcd: `<prefix>data/<key>` are the values, `<prefix>leader/<lease>` are those who lead
//! or wait to, the oldest of which leads.

use super::super::{Key, Prefix, StoreError};

/// The most bytes of a leader's name that are kept.
const MAX_NAME_BYTES: usize = 512;

/// The names of everything a store keeps.
pub struct Layout {
    data: String,
    leaders: String,
}

/// What the key of a leader, or of one that waits, holds: its name, and the number of the last transaction
/// that it wrote, by which one is recognised whose answer was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What it gave as its name.
    pub name: String,
    /// The last transaction's number; zero before the first.
    pub number: u64,
}

impl Layout {
    /// The names under a prefix that ends with `/`.
    pub fn new(prefix: &str) -> Self {
        Self { data: format!("{prefix}data/"), leaders: format!("{prefix}leader/") }
    }

    /// Where the value of a key lies.
    pub fn value(&self, key: &Key) -> String {
        format!("{}{key}", self.data)
    }

    /// The key whose value lies there.
    pub fn key(&self, place: &[u8]) -> Result<Key, StoreError> {
        let text = std::str::from_utf8(place).ok().and_then(|text| text.strip_prefix(&self.data));
        text.and_then(|text| Key::try_new(text).ok()).ok_or_else(|| {
            let shown = String::from_utf8_lossy(place);
            let shown: String = shown.chars().filter(|c| !c.is_control()).take(80).collect();
            StoreError::Corrupt(format!("etcd holds {shown}, which no coordinator wrote"))
        })
    }

    /// The first place of a page and the end of all places under the prefix.
    pub fn range(&self, prefix: &Prefix, after: Option<&Key>) -> (Vec<u8>, Vec<u8>) {
        let first = format!("{}{}", self.data, prefix.as_str()).into_bytes();
        let end = behind(&first);
        match after {
            // The place right behind a key is the key with a zero byte.
            Some(key) if key.as_str() >= prefix.as_str() => {
                ([self.value(key).as_bytes(), &[0]].concat(), end)
            }
            _ => (first, end),
        }
    }

    /// What the places of all who lead or wait begin with.
    pub fn leaders(&self) -> &str {
        &self.leaders
    }

    /// Where one who leads or waits under a lease is written down.
    pub fn leader(&self, lease: i64) -> String {
        format!("{}{lease:x}", self.leaders)
    }
}

/// The first text behind all that begin with this one.
fn behind(start: &[u8]) -> Vec<u8> {
    let mut end = start.to_vec();
    // UTF-8 has no byte 255, and the prefix ends with a slash.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

impl Mark {
    /// A name as it is kept: on one line, of bounded length.
    pub fn name(text: &str) -> String {
        let mut name = String::new();
        for c in text.chars().filter(|c| !c.is_control()) {
            if name.len() + c.len_utf8() > MAX_NAME_BYTES {
                break;
            }
            name.push(c);
        }
        name
    }

    /// The bytes that are kept.
    pub fn write(&self) -> String {
        format!("{}\n{}", self.name, self.number)
    }

    /// Reads what is kept.
    pub fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        let parts = std::str::from_utf8(bytes).ok().and_then(|text| text.rsplit_once('\n'));
        let mark = parts
            .and_then(|(name, number)| Some(Self { name: name.to_owned(), number: number.parse().ok()? }));
        mark.ok_or_else(|| StoreError::Corrupt("a leader's key in etcd holds no name and number".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_keys_are_each_other() {
        let layout = Layout::new("umbra/");
        let key = Key::try_new("audit/é").unwrap();
        assert_eq!(layout.value(&key), "umbra/data/audit/é");
        assert_eq!(layout.key("umbra/data/audit/é".as_bytes()).unwrap(), key);
        for strange in [&b"umbra/data/"[..], b"umbra/data/a\xff", b"else"] {
            assert!(matches!(layout.key(strange), Err(StoreError::Corrupt(_))));
        }
        assert_eq!(layout.leader(0x7b), "umbra/leader/7b");

        let prefix = Prefix::try_new("a/").unwrap();
        let range = |after: Option<&str>| {
            let after = after.map(|text| Key::try_new(text).unwrap());
            layout.range(&prefix, after.as_ref())
        };
        let end = b"umbra/data/a0".to_vec();
        assert_eq!(range(None), (b"umbra/data/a/".to_vec(), end.clone()));
        assert_eq!(range(Some("A")), (b"umbra/data/a/".to_vec(), end.clone()));
        assert_eq!(range(Some("a/x")), (b"umbra/data/a/x\0".to_vec(), end));
    }

    #[test]
    fn marks_are_read_as_written() {
        let mark = Mark { name: Mark::name("10.0.0.1:7443\n, \u{7}x"), number: 12 };
        assert_eq!(mark.name, "10.0.0.1:7443, x");
        assert_eq!(Mark::read(mark.write().as_bytes()).unwrap(), mark);
        assert_eq!(Mark::name(&"é".repeat(400)).len(), 512);
        for strange in [&b"name"[..], b"name\nx", b"\xff\n1"] {
            assert!(Mark::read(strange).is_err());
        }
    }
}
