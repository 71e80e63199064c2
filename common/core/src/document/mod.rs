//! Checked TOML documents: every mistake in one go, each with its line and its key.
//!
//! A [`Document`] is text that is TOML. Values are taken out with typed getters; what is wrong is noted
//! and reading goes on, and a key that nobody asked for is a mistake too:
//!
//! ```
//! use umbra_core::document::Document;
//!
//! let doc = Document::parse("[training]\nepochs = -4\nlearning_rat = 0.05\n").unwrap();
//! let training = doc.table("training");
//! let _epochs: u64 = training.u64("epochs").required_or(1);
//! let _rate: f64 = training.f64("learning_rate").or(0.1);
//! let mistakes = doc.finish().unwrap_err();
//! assert_eq!(
//!     mistakes.in_file("AUDIT.toml").to_string(),
//!     "AUDIT.toml:2: training.epochs: -4 is not a whole number from 0 to 18446744073709551615\n\
//!      AUDIT.toml:3: training.learning_rat: unknown key; did you mean \"learning_rate\"?"
//! );
//! ```

mod closest;
mod field;
mod mistakes;
mod node;
mod table;

pub use closest::closest;
pub use field::Field;
pub use mistakes::{Mistake, Mistakes};
pub use table::Table;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use node::{LineIndex, Node, Reader, join};

/// The longest document that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// A parsed document, what was asked of it, and the mistakes found so far.
#[derive(Debug)]
pub struct Document {
    root: BTreeMap<String, Node>,
    lines: BTreeMap<String, u32>,
    asked: RefCell<BTreeMap<String, BTreeSet<String>>>,
    mistakes: RefCell<Vec<Mistake>>,
}

impl Document {
    /// Parses a text.
    ///
    /// # Errors
    /// Every place where the text is not TOML, or that it is longer than [`MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, Mistakes> {
        if text.len() > MAX_BYTES {
            let message = format!("the file is longer than {MAX_BYTES} bytes: it is no file of this kind");
            return Err(Mistakes(vec![Mistake { line: 1, key: String::new(), message }]));
        }
        let lines = LineIndex::new(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let mistake = |error: toml::de::Error| Mistake {
                line: error.span().map_or(1, |span| lines.of(span.start)),
                key: String::new(),
                message: error.message().lines().collect::<Vec<_>>().join(", "),
            };
            return Err(Mistakes::sorted(errors.into_iter().map(mistake).collect()));
        }
        let mut reader = Reader { lines: &lines, found: BTreeMap::new(), mistakes: Vec::new() };
        let root = reader.table(table.get_ref(), "");
        let Reader { found, mistakes, .. } = reader;
        let asked = RefCell::default();
        Ok(Self { root, lines: found, asked, mistakes: RefCell::new(mistakes) })
    }

    /// The top of the document.
    pub fn root(&self) -> Table<'_> {
        self.asked.borrow_mut().entry(String::new()).or_default();
        Table { document: self, path: String::new(), entries: Some(&self.root) }
    }

    /// A table of the document; one that is not there has no keys.
    pub fn table(&self, key: &str) -> Table<'_> {
        self.root().table(key)
    }

    /// Notes a mistake that only the caller can see, at a dotted key.
    pub fn mistake(&self, key: &str, message: impl Into<String>) {
        let mistake = Mistake { line: self.nearest_line(key), key: key.to_owned(), message: message.into() };
        self.mistakes.borrow_mut().push(mistake);
    }

    /// The line of a dotted key (`training.learning_rate`, `groups[1]`), if it is in the document.
    pub fn line_of(&self, key: &str) -> Option<u32> {
        self.lines.get(key).copied()
    }

    /// Ends the reading: notes every key that nobody asked for.
    ///
    /// # Errors
    /// All mistakes, by line.
    pub fn finish(&self) -> Result<(), Mistakes> {
        let mut mistakes = self.mistakes.borrow().clone();
        self.unknown_keys("", &self.root, &mut mistakes);
        if mistakes.is_empty() { Ok(()) } else { Err(Mistakes::sorted(mistakes)) }
    }

    fn unknown_keys(&self, path: &str, entries: &BTreeMap<String, Node>, mistakes: &mut Vec<Mistake>) {
        let asked = self.asked.borrow();
        let nothing = BTreeSet::new();
        let known = asked.get(path).unwrap_or(&nothing);
        for (name, node) in entries {
            let key = join(path, name);
            if !known.contains(name) {
                let absent = known.iter().filter(|known| !entries.contains_key(*known));
                let message = match closest(name, absent.map(String::as_str)) {
                    Some(meant) => format!("unknown key; did you mean \"{meant}\"?"),
                    None if known.is_empty() => "unknown key; nothing is known here".to_owned(),
                    None => {
                        let known: Vec<_> = known.iter().map(String::as_str).collect();
                        format!("unknown key; known here: {}", known.join(", "))
                    }
                };
                mistakes.push(Mistake { line: self.nearest_line(&key), key, message });
            } else if let Node::Table(inner) = node
                && asked.contains_key(&key)
            {
                self.unknown_keys(&key, inner, mistakes);
            }
        }
    }

    fn nearest_line(&self, key: &str) -> u32 {
        let mut key = key;
        loop {
            if let Some(line) = self.line_of(key) {
                return line;
            }
            match key.rfind(['.', '[']) {
                Some(end) => key = &key[..end],
                None => return 1,
            }
        }
    }
}

#[cfg(test)]
mod tests;
