//! What was found under a key.

use super::Document;
use super::closest::closest;

/// What was found under a key: a value, nothing, or something wrong that is already noted.
#[derive(Debug)]
#[must_use = "a field holds its value until `or`, `optional` or `required`"]
pub struct Field<'d, T> {
    pub(super) document: &'d Document,
    pub(super) key: String,
    pub(super) state: State<T>,
}

#[derive(Debug)]
pub(super) enum State<T> {
    Given(T),
    Absent,
    Wrong,
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
    pub fn try_map<U, E: std::fmt::Display>(self, turn: impl FnOnce(T) -> Result<U, E>) -> Field<'d, U> {
        let document = self.document;
        let key = self.key.clone();
        self.try_keep(|value| turn(value).map_err(|error| document.mistake(&key, error.to_string())).ok())
    }

    pub(super) fn try_keep<U>(self, keep: impl FnOnce(T) -> Option<U>) -> Field<'d, U> {
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
