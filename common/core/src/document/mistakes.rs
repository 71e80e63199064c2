//! Mistakes of a document, with their lines.

use std::fmt;

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
pub struct Mistakes(pub(super) Vec<Mistake>);

impl Mistakes {
    /// The mistakes, by line.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }

    /// The mistakes as text, each line led by the file's name and the line number.
    pub fn in_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        InFile { mistakes: self, file: Some(file) }
    }

    pub(super) fn sorted(mut mistakes: Vec<Mistake>) -> Self {
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
