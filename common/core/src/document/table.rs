//! Tables of a document: typed getters.

use std::collections::BTreeMap;

use super::Document;
use super::field::{Field, State};
use super::node::{Node, join};

/// One table of a document; of a table that is not there, every key is absent.
#[derive(Debug, Clone)]
pub struct Table<'d> {
    pub(super) document: &'d Document,
    pub(super) path: String,
    pub(super) entries: Option<&'d BTreeMap<String, Node>>,
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

    /// Whether a key is given as a list: for keys that take a word or a list.
    pub fn is_list(&self, name: &str) -> bool {
        matches!(self.entries.and_then(|entries| entries.get(name)), Some(Node::Array(_)))
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
        self.get(name, &expected, Node::whole)
    }

    /// A whole number from 0 that fits 32 bits.
    pub fn u32(&self, name: &str) -> Field<'d, u32> {
        let expected = format!("a whole number from 0 to {}", u32::MAX);
        self.get(name, &expected, Node::whole)
    }

    /// A whole number, below 0 or not, that fits 32 bits.
    pub fn i32(&self, name: &str) -> Field<'d, i32> {
        let expected = format!("a whole number from {} to {}", i32::MIN, i32::MAX);
        self.get(name, &expected, Node::whole)
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

    /// A list of lists of strings.
    pub fn string_lists(&self, name: &str) -> Field<'d, Vec<Vec<String>>> {
        self.list(name, "a list of strings", |node| match node {
            Node::Array(items) => items.iter().map(Node::string).collect(),
            _ => None,
        })
    }

    /// A list of whole numbers from 0 that fit 32 bits.
    pub fn u32s(&self, name: &str) -> Field<'d, Vec<u32>> {
        self.list(name, &format!("a whole number from 0 to {}", u32::MAX), Node::whole)
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
