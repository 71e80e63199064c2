//! The values of a document and the lines they stand on.

use std::collections::BTreeMap;
use std::fmt;

use toml::de::{DeTable, DeValue};

use super::mistakes::Mistake;

#[derive(Debug)]
pub(super) enum Node {
    String(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    pub(super) fn string(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn f64(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) if value.is_finite() => Some(*value),
            _ => None,
        }
    }

    pub(super) fn whole<T: TryFrom<i128>>(&self) -> Option<T> {
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
pub(super) struct Reader<'a> {
    pub(super) lines: &'a LineIndex,
    pub(super) found: BTreeMap<String, u32>,
    pub(super) mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    pub(super) fn table(&mut self, table: &DeTable<'_>, path: &str) -> BTreeMap<String, Node> {
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

    pub(super) fn node(&mut self, value: &DeValue<'_>, key: &str, line: u32) -> Node {
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

    pub(super) fn no_number(&mut self, key: &str, line: u32) -> Node {
        let message = "the number is too large to be read".to_owned();
        self.mistakes.push(Mistake { line, key: key.to_owned(), message });
        Node::Integer(0)
    }
}

pub(super) struct LineIndex(Vec<usize>);

impl LineIndex {
    pub(super) fn new(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at).collect())
    }

    pub(super) fn of(&self, offset: usize) -> u32 {
        self.0.partition_point(|&newline| newline < offset) as u32 + 1
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    let bare =
        !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
    let name = if bare { name.to_owned() } else { format!("\"{}\"", name.escape_debug()) };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}
