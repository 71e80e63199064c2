//! Collecting every mistake of a draft.

use std::fmt;

/// One mistake in a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The dotted name of the field, as in `training.learning_rate`.
    pub field: String,
    /// What is wrong and what would be right, in one sentence.
    pub message: String,
}

/// All mistakes of a draft.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Whether there is no mistake.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The mistakes, in the order of the draft.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }

    /// Adds a mistake.
    pub fn push(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(Violation { field: field.to_owned(), message: message.into() });
    }

    /// Adds a mistake that was found elsewhere.
    pub(super) fn add(&mut self, violation: Violation) {
        self.0.push(violation);
    }

    /// Keeps a value that is right and notes the mistake of one that is not.
    pub(super) fn keep<T, E: fmt::Display>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.push(field, error.to_string())).ok()
    }

    /// Keeps a number within bounds; `NaN` is never within.
    pub(super) fn within<T>(&mut self, field: &str, value: T, low: T, high: T) -> Option<T>
    where
        T: PartialOrd + fmt::Display + Copy,
    {
        if value >= low && value <= high {
            return Some(value);
        }
        self.push(field, format!("{value} is out of range: use {low} to {high}"));
        None
    }

    /// Keeps one of a list of words.
    pub(super) fn word<T: Copy>(&mut self, field: &str, text: &str, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == text).map(|&(_, value)| value);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|&(word, _)| word).collect();
            let text: String = text.chars().take(80).collect();
            self.push(field, format!("\"{text}\" is not known: use one of {}", known.join(", ")));
        }
        found
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, violation) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", violation.field, violation.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}
