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

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use toml::de::{DeTable, DeValue};

/// The longest document that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// One mistake in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line it is on, from 1; for a missing key, the line of its table.
    pub line: u32,
    /// The dotted key, as in `training.learning_rate`; empty where the text is not TOML.
    pub key: String,
    /// What is wrong and what would be right, in one sentence.
    pub message: String,
}

/// All mistakes of a document, by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

/// A parsed document, what was asked of it, and the mistakes found so far.
#[derive(Debug)]
pub struct Document {
    root: BTreeMap<String, Node>,
    lines: BTreeMap<String, u32>,
    asked: RefCell<BTreeMap<String, BTreeSet<String>>>,
    mistakes: RefCell<Vec<Mistake>>,
}

/// One table of a document; of a table that is not there, every key is absent.
#[derive(Debug, Clone)]
pub struct Table<'d> {
    document: &'d Document,
    path: String,
    entries: Option<&'d BTreeMap<String, Node>>,
}

/// What was found under a key: a value, nothing, or something wrong that is already noted.
#[derive(Debug)]
#[must_use = "a field holds its value until `or`, `optional` or `required`"]
pub struct Field<'d, T> {
    document: &'d Document,
    key: String,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    Given(T),
    Absent,
    Wrong,
}

#[derive(Debug)]
enum Node {
    String(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
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

impl<'d> Table<'d> {
    /// Whether the table is in the document.
    pub fn is_given(&self) -> bool {
        self.entries.is_some()
    }

    /// The names of its keys, sorted: for tables whose keys are free. Asking for a value makes it known.
    pub fn keys(&self) -> Vec<String> {
        self.entries.map_or_else(Vec::new, |entries| entries.keys().cloned().collect())
    }

    /// The dotted name of one of its keys, for [`Document::mistake`] and [`Document::line_of`].
    pub fn key(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// A table inside; one that is not there has no keys.
    pub fn table(&self, name: &str) -> Table<'d> {
        let field = self.get(name, "a table", |node| match node {
            Node::Table(entries) => Some(entries),
            _ => None,
        });
        let path = field.key.clone();
        self.document.asked.borrow_mut().entry(path.clone()).or_default();
        Table { document: self.document, path, entries: field.optional() }
    }

    /// A string.
    pub fn string(&self, name: &str) -> Field<'d, String> {
        self.get(name, "a string", Node::string)
    }

    /// A number, with or without a fraction; finite.
    pub fn f64(&self, name: &str) -> Field<'d, f64> {
        self.get(name, "a finite number", Node::f64)
    }

    /// A whole number from 0.
    pub fn u64(&self, name: &str) -> Field<'d, u64> {
        let expected = format!("a whole number from 0 to {}", u64::MAX);
        self.get(name, &expected, Node::unsigned)
    }

    /// A whole number from 0 that fits 32 bits.
    pub fn u32(&self, name: &str) -> Field<'d, u32> {
        let expected = format!("a whole number from 0 to {}", u32::MAX);
        self.get(name, &expected, Node::unsigned)
    }

    /// `true` or `false`.
    pub fn bool(&self, name: &str) -> Field<'d, bool> {
        self.get(name, "true or false", |node| match node {
            Node::Boolean(value) => Some(*value),
            _ => None,
        })
    }

    /// A list of strings.
    pub fn strings(&self, name: &str) -> Field<'d, Vec<String>> {
        self.list(name, "a string", Node::string)
    }

    /// A string, or a list of strings: `"a"` is read as `["a"]`.
    pub fn one_or_more_strings(&self, name: &str) -> Field<'d, Vec<String>> {
        match self.entries.and_then(|entries| entries.get(name)) {
            Some(Node::String(_)) => self.string(name).map(|one| vec![one]),
            _ => self.strings(name),
        }
    }

    /// A list of whole numbers from 0 that fit 32 bits.
    pub fn u32s(&self, name: &str) -> Field<'d, Vec<u32>> {
        self.list(name, &format!("a whole number from 0 to {}", u32::MAX), Node::unsigned)
    }

    /// A list of finite numbers.
    pub fn f64s(&self, name: &str) -> Field<'d, Vec<f64>> {
        self.list(name, "a finite number", Node::f64)
    }

    fn get<T>(&self, name: &str, expected: &str, take: impl Fn(&'d Node) -> Option<T>) -> Field<'d, T> {
        let key = self.key(name);
        self.document.asked.borrow_mut().entry(self.path.clone()).or_default().insert(name.to_owned());
        let state = match self.entries.and_then(|entries| entries.get(name)) {
            None => State::Absent,
            Some(node) => match take(node) {
                Some(value) => State::Given(value),
                None => {
                    self.document.mistake(&key, format!("{node} is not {expected}"));
                    State::Wrong
                }
            },
        };
        Field { document: self.document, key, state }
    }

    fn list<T>(&self, name: &str, expected: &str, take: impl Fn(&'d Node) -> Option<T>) -> Field<'d, Vec<T>> {
        let array = self.get(name, "a list", |node| match node {
            Node::Array(items) => Some(items),
            _ => None,
        });
        let document = self.document;
        let key = array.key.clone();
        array.try_keep(|items| {
            let taken = items.iter().enumerate().map(|(i, node)| {
                let value = take(node);
                if value.is_none() {
                    document.mistake(&format!("{key}[{i}]"), format!("{node} is not {expected}"));
                }
                value
            });
            // Every item is looked at, so that every wrong one is noted.
            taken.collect::<Vec<_>>().into_iter().collect()
        })
    }
}

impl<'d, T> Field<'d, T> {
    /// The dotted key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value, or `None` where it is absent or wrong.
    pub fn optional(self) -> Option<T> {
        match self.state {
            State::Given(value) => Some(value),
            State::Absent | State::Wrong => None,
        }
    }

    /// The value, or a default where it is absent or wrong.
    pub fn or(self, default: T) -> T {
        self.optional().unwrap_or(default)
    }

    /// The value; that it is absent is a mistake.
    pub fn required(self) -> Option<T> {
        if matches!(self.state, State::Absent) {
            self.document.mistake(&self.key, "missing");
        }
        self.optional()
    }

    /// The value; that it is absent is a mistake, and the stand-in lets the reading go on.
    pub fn required_or(self, stand_in: T) -> T {
        self.required().unwrap_or(stand_in)
    }

    /// Notes a mistake unless a given value passes the test.
    pub fn check(self, test: impl FnOnce(&T) -> bool, mistake: &str) -> Self {
        let document = self.document;
        let key = self.key.clone();
        self.try_keep(|value| {
            if test(&value) {
                return Some(value);
            }
            document.mistake(&key, mistake);
            None
        })
    }

    /// Turns a given value into another.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Field<'d, U> {
        self.try_keep(|value| Some(turn(value)))
    }

    /// Turns a given value into another; an error is noted as a mistake.
    pub fn try_map<U, E: fmt::Display>(self, turn: impl FnOnce(T) -> Result<U, E>) -> Field<'d, U> {
        let document = self.document;
        let key = self.key.clone();
        self.try_keep(|value| turn(value).map_err(|error| document.mistake(&key, error.to_string())).ok())
    }

    fn try_keep<U>(self, keep: impl FnOnce(T) -> Option<U>) -> Field<'d, U> {
        let state = match self.state {
            State::Given(value) => keep(value).map_or(State::Wrong, State::Given),
            State::Absent => State::Absent,
            State::Wrong => State::Wrong,
        };
        Field { document: self.document, key: self.key, state }
    }
}

impl<'d> Field<'d, String> {
    /// One of a list of words.
    pub fn choice<U: Copy>(self, words: &[(&str, U)]) -> Field<'d, U> {
        self.try_map(|text| {
            if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
                return Ok(*value);
            }
            let text: String = text.chars().take(80).collect();
            let names = || words.iter().map(|(word, _)| *word);
            Err(match closest(&text, names()) {
                Some(meant) => format!("\"{text}\" is not known; did you mean \"{meant}\"?"),
                None => {
                    let names: Vec<_> = names().collect();
                    format!("\"{text}\" is not known; use one of {}", names.join(", "))
                }
            })
        })
    }
}

impl Mistakes {
    /// The mistakes, by line.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }

    /// The mistakes as text, each line led by the file's name and the line number.
    pub fn in_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        InFile { mistakes: self, file: Some(file) }
    }

    fn sorted(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.line);
        mistakes.dedup();
        Self(mistakes)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InFile { mistakes: self, file: None }.fmt(f)
    }
}

impl std::error::Error for Mistakes {}

struct InFile<'a> {
    mistakes: &'a Mistakes,
    file: Option<&'a str>,
}

impl fmt::Display for InFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.mistakes.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            match self.file {
                Some(file) => write!(f, "{separator}{file}:{}: ", mistake.line)?,
                None => write!(f, "{separator}line {}: ", mistake.line)?,
            }
            if !mistake.key.is_empty() {
                write!(f, "{}: ", mistake.key)?;
            }
            f.write_str(&mistake.message)?;
        }
        Ok(())
    }
}

/// The candidate that a misspelt name most likely means: the nearest by insertions, deletions,
/// substitutions and swaps of neighbours (optimal string alignment), regardless of case, within a third
/// of its length. The first of several that are equally near.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let fold =
        |text: &str| -> Vec<char> { text.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect() };
    let name = fold(name);
    if name.len() > LONGEST {
        return None;
    }
    let allowed = (name.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters = fold(candidate);
        if letters.len().abs_diff(name.len()) > allowed {
            continue;
        }
        let distance = alignment(&name, &letters);
        // A single letter is one edit away from every other single letter.
        if distance <= allowed && distance < name.len() && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn alignment(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

impl Node {
    fn string(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn f64(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) if value.is_finite() => Some(*value),
            _ => None,
        }
    }

    fn unsigned<T: TryFrom<i128>>(&self) -> Option<T> {
        match self {
            Self::Integer(value) => T::try_from(*value).ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => {
                let short: String = text.chars().take(40).collect();
                let more = if short.len() < text.len() { "..." } else { "" };
                write!(f, "\"{}{more}\"", short.escape_debug())
            }
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Datetime => f.write_str("a date or time"),
            Self::Array(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

/// Copies a parsed tree, noting the line of every key.
struct Reader<'a> {
    lines: &'a LineIndex,
    found: BTreeMap<String, u32>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &str) -> BTreeMap<String, Node> {
        let mut entries = BTreeMap::new();
        for (name, value) in table {
            let key = join(path, name.get_ref());
            let line = self.lines.of(name.span().start);
            self.found.insert(key.clone(), line);
            let node = self.node(value.get_ref(), &key, line);
            entries.insert(name.get_ref().to_string(), node);
        }
        entries
    }

    fn node(&mut self, value: &DeValue<'_>, key: &str, line: u32) -> Node {
        match value {
            DeValue::String(text) => Node::String(text.to_string()),
            DeValue::Integer(digits) => match i128::from_str_radix(digits.as_str(), digits.radix()) {
                Ok(number) => Node::Integer(number),
                Err(_) => self.no_number(key, line),
            },
            DeValue::Float(digits) => match digits.as_str().parse() {
                Ok(number) => Node::Float(number),
                Err(_) => self.no_number(key, line),
            },
            DeValue::Boolean(value) => Node::Boolean(*value),
            DeValue::Datetime(_) => Node::Datetime,
            DeValue::Table(table) => Node::Table(self.table(table, key)),
            DeValue::Array(items) => {
                let nodes = items.iter().enumerate().map(|(i, item)| {
                    let key = format!("{key}[{i}]");
                    let line = self.lines.of(item.span().start);
                    self.found.insert(key.clone(), line);
                    self.node(item.get_ref(), &key, line)
                });
                Node::Array(nodes.collect())
            }
        }
    }

    fn no_number(&mut self, key: &str, line: u32) -> Node {
        let message = "the number is too large to be read".to_owned();
        self.mistakes.push(Mistake { line, key: key.to_owned(), message });
        Node::Integer(0)
    }
}

struct LineIndex(Vec<usize>);

impl LineIndex {
    fn new(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at).collect())
    }

    fn of(&self, offset: usize) -> u32 {
        self.0.partition_point(|&newline| newline < offset) as u32 + 1
    }
}

fn join(path: &str, name: &str) -> String {
    let bare =
        !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
    let name = if bare { name.to_owned() } else { format!("\"{}\"", name.escape_debug()) };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_come_at_once_with_line_and_key() {
        let text = "name = 3\nlabel = \"y\"\n\n[training]\noptimizer = \"sdg\"\nwidths = [1, -2, \"x\"]\n\
                    rate = nan\nmomentun = 0.9\nflag = true\n\n[training.deep]\nx = 1\n\n[stray]\na = 1\n";
        let doc = Document::parse(text).unwrap();
        let root = doc.root();
        assert_eq!(root.string("name").optional(), None);
        assert_eq!(root.one_or_more_strings("label").optional(), Some(vec!["y".to_owned()]));
        assert_eq!(root.u64("seed").required_or(7), 7);
        let training = doc.table("training");
        assert_eq!(training.string("optimizer").choice(&[("sgd", 1), ("adamw", 2)]).optional(), None);
        assert_eq!(training.u32s("widths").optional(), None);
        assert_eq!(training.f64("rate").or(0.1), 0.1);
        assert_eq!(training.f64("momentum").or(0.9), 0.9);
        assert_eq!(training.bool("flag").optional(), Some(true));
        assert_eq!(training.u64("epochs").required(), None);
        let deep = training.table("deep");
        assert_eq!(deep.u64("x").check(|&x| x > 1, "1 is too small: use 2 or more").optional(), None);
        doc.mistake("training.widths", "too deep");
        let expected = "\
            A.toml:1: name: 3 is not a string\n\
            A.toml:1: seed: missing\n\
            A.toml:4: training.epochs: missing\n\
            A.toml:5: training.optimizer: \"sdg\" is not known; did you mean \"sgd\"?\n\
            A.toml:6: training.widths[1]: -2 is not a whole number from 0 to 4294967295\n\
            A.toml:6: training.widths[2]: \"x\" is not a whole number from 0 to 4294967295\n\
            A.toml:6: training.widths: too deep\n\
            A.toml:7: training.rate: NaN is not a finite number\n\
            A.toml:8: training.momentun: unknown key; did you mean \"momentum\"?\n\
            A.toml:12: training.deep.x: 1 is too small: use 2 or more\n\
            A.toml:14: stray: unknown key; known here: label, name, seed, training";
        assert_eq!(doc.finish().unwrap_err().in_file("A.toml").to_string(), expected);
        assert_eq!(doc.line_of("training.deep.x"), Some(12));
        assert_eq!(doc.line_of("training.learning_rate"), None);
    }

    #[test]
    fn text_that_is_not_toml_is_refused_with_every_line() {
        let mistakes = Document::parse("a = \nb = 1\nc = [1,\n").unwrap_err();
        let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert!(lines.contains(&1) && lines.len() > 1, "{mistakes}");
        assert!(!mistakes.to_string().contains("\n\n"), "{mistakes}");
        let twice = Document::parse("a = 1\na = 2\n").unwrap_err();
        assert!(twice.to_string().starts_with("line 2: "), "{twice}");
        assert!(Document::parse(&" ".repeat(MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn free_keys_and_odd_names_keep_their_lines() {
        let doc = Document::parse("[columns]\nnum_co = \"numeric\"\n\"a.b c\" = 1\n").unwrap();
        let columns = doc.table("columns");
        assert_eq!(columns.keys(), ["a.b c", "num_co"]);
        for key in columns.keys() {
            let _ = columns.string(&key).optional();
        }
        let mistakes = doc.finish().unwrap_err();
        assert_eq!(mistakes.to_string(), "line 3: columns.\"a.b c\": 1 is not a string");
        assert!(!doc.table("absent").is_given());
        assert!(Document::parse("absent = 1").unwrap().table("absent").string("x").optional().is_none());
    }

    #[test]
    fn a_right_document_has_no_mistakes() {
        let doc = Document::parse("a = 0x10\nb = [\"x\"]\nc = 1\n").unwrap();
        assert_eq!(doc.root().u64("a").optional(), Some(16));
        assert_eq!(doc.root().strings("b").optional(), Some(vec!["x".to_owned()]));
        assert_eq!(doc.root().f64("c").optional(), Some(1.0));
        assert_eq!(doc.root().u32("d").optional(), None);
        assert_eq!(doc.finish(), Ok(()));
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        assert_eq!(closest("paitent_id", ["patient_id", "sex"]), Some("patient_id"));
        assert_eq!(closest("Sex", ["race", "sex"]), Some("sex"));
        assert_eq!(closest("x", ["y", "z"]), None);
        assert_eq!(closest("entirely", ["different"]), None);
        assert_eq!(closest("", ["a"]), None);
    }
}
