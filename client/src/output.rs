//! What a command prints: results on stdout, notes on stderr.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::exit::Failure;

/// How results look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Where results and notes go. Clones share the state of stdout.
#[derive(Debug, Clone)]
pub struct Output {
    format: Format,
    closed: Arc<AtomicBool>,
}

impl Output {
    /// Output in a format.
    pub fn new(format: Format) -> Self {
        Self { format, closed: Arc::default() }
    }

    /// The format asked for.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether the reader of stdout has gone. What is printed then goes nowhere, and that is no failure:
    /// `umbra audit list | head -1` has what it wanted.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Prints a result: `text` for people or `json` for programs.
    ///
    /// # Errors
    /// If stdout cannot be written, as on a full disk. A reader that has gone is no error.
    pub fn result(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> Result<(), Failure> {
        match self.format {
            Format::Text => self.write(text().trim_end_matches('\n')),
            Format::Json => self.write(&json().to_string()),
        }
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        if self.is_closed() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.closed.store(true, Ordering::Relaxed);
                Err(Failure::failed(format!("cannot write to standard output: {error}")))
            }
        }
    }
}

/// Prints a note for people on stderr. That nobody can read it is no failure.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Rows as a table: columns padded to their widest cell, two spaces apart, nothing at line ends.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&header).chain(rows).collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let padded = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    padded.collect::<Vec<_>>().join("\n")
}

/// Name and value pairs, one a line, values aligned.
pub fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines = pairs.iter().map(|(name, value)| format!("{name:<width$}  {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Text from elsewhere with control characters made harmless for a terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_without_trailing_space() {
        let rows = vec![vec!["support2".into(), "9,105".into()], vec!["a".into(), "".into()]];
        assert_eq!(table(&["name", "records"], &rows), "name      records\nsupport2  9,105\na");
        assert_eq!(pairs(&[("id", "a".into()), ("state", "b".into())]), "id     a\nstate  b");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
