//! Flags over variables over a file, with every mistake noted where it was made.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use umbra_core::document::{Document, MAX_BYTES};
use umbra_core::spec::Violations;
use umbra_runtime::files;

use super::{Daemon, Flags, Source};
use crate::exit::Failure;

/// The layers of a daemon's settings, and the mistakes found so far.
pub struct Layers<'a, D> {
    flags: &'a Flags<D>,
    file: Option<File>,
    mistakes: RefCell<Vec<String>>,
}

struct File {
    name: String,
    base: PathBuf,
    document: Document,
}

impl<'a, D: Daemon> Layers<'a, D> {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// If it cannot be read or is not TOML.
    pub fn read(flags: &'a Flags<D>, path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::new(flags, None)) };
        let bytes = files::read_bounded(path, MAX_BYTES as u64)
            .map_err(|error| Failure::usage(format!("{error}; name a settings file with --config")))?;
        let name = path.display().to_string();
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("{name} is not UTF-8 text: a settings file is TOML")))?;
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        Self::over(flags, &text, name, base)
    }

    fn over(flags: &'a Flags<D>, text: &str, name: String, base: PathBuf) -> Result<Self, Failure> {
        let document =
            Document::parse(text).map_err(|mistakes| Failure::usage(mistakes.in_file(&name).to_string()))?;
        Ok(Self::new(flags, Some(File { name, base, document })))
    }

    fn new(flags: &'a Flags<D>, file: Option<File>) -> Self {
        Self { flags, file, mistakes: RefCell::default() }
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<String> {
        // The file is asked in any case, so that a key that a flag overrides is known and checked.
        let from_file = self.file.as_ref().and_then(|file| file.document.root().string(key).optional());
        self.flags.get(key).map(|(text, _)| text.clone()).or(from_file)
    }

    /// A path; one from the file is relative to the file's folder.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        let text = self.text(key)?;
        if text.is_empty() {
            self.mistake(key, "it is empty: name a file or folder");
            return None;
        }
        match (&self.file, self.flags.get(key)) {
            (Some(file), None) => Some(file.base.join(text)),
            _ => Some(PathBuf::from(text)),
        }
    }

    /// A whole number within bounds.
    pub fn number(&self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let from_file = self.file.as_ref().and_then(|file| file.document.root().u64(key).optional());
        let number = match self.flags.get(key) {
            Some((text, _)) => {
                let number = text.trim().parse::<u64>().ok();
                if number.is_none() {
                    let shown: String = text.chars().take(40).collect();
                    self.mistake(key, format!("\"{shown}\" is not a whole number"));
                }
                number
            }
            None => from_file,
        }?;
        if bounds.contains(&number) {
            return Some(number);
        }
        let (least, most) = bounds.into_inner();
        self.mistake(key, format!("{number} is out of range: use {least} to {most}"));
        None
    }

    /// Keeps a value that is right and notes the mistake of one that is not.
    pub fn keep<T, E: fmt::Display>(&self, key: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.mistake(key, error.to_string())).ok()
    }

    /// Notes a mistake where the key's value came from.
    pub fn mistake(&self, key: &str, message: impl Into<String>) {
        let message = message.into();
        let setting = D::SETTINGS.iter().find(|setting| setting.key == key);
        match (self.flags.get(key), &self.file, setting) {
            (Some((_, Source::Flag)), _, Some(setting)) => self.push(format!("--{}", setting.flag), &message),
            (Some((_, Source::Variable)), _, Some(setting)) => {
                self.push(setting.variable.to_owned(), &message)
            }
            (_, Some(file), _) if file.document.line_of(key).is_some() => file.document.mistake(key, message),
            (_, _, Some(setting)) => self.push(format!("--{}", setting.flag), &message),
            _ => self.push(key.to_owned(), &message),
        }
    }

    /// Notes the mistakes that a daemon's own check found.
    pub fn violations(&self, violations: &Violations) {
        for violation in violations.iter() {
            self.mistake(&violation.field, violation.message.as_str());
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All mistakes, those of the file first.
    pub fn finish(&self) -> Result<(), Failure> {
        let mut lines = Vec::new();
        if let Some(file) = &self.file
            && let Err(mistakes) = file.document.finish()
        {
            lines.push(mistakes.in_file(&file.name).to_string());
        }
        lines.extend(self.mistakes.borrow().iter().cloned());
        if lines.is_empty() { Ok(()) } else { Err(Failure::usage(lines.join("\n"))) }
    }

    fn push(&self, place: String, message: &str) {
        self.mistakes.borrow_mut().push(format!("{place}: {message}"));
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::super::Setting;
    use super::*;

    struct Test;

    impl Daemon for Test {
        const SETTINGS: &'static [Setting] = &[
            Setting {
                key: "state_dir",
                flag: "state-dir",
                variable: "UMBRA_STATE_DIR",
                value: "DIR",
                help: "state",
                default: None,
            },
            Setting {
                key: "lease",
                flag: "lease",
                variable: "UMBRA_LEASE",
                value: "SECONDS",
                help: "lease",
                default: Some("30"),
            },
            Setting {
                key: "log",
                flag: "log",
                variable: "UMBRA_LOG",
                value: "FILTER",
                help: "log",
                default: None,
            },
        ];
    }

    fn flags(line: &str) -> Flags<Test> {
        let command = Flags::<Test>::augment_args(clap::Command::new("test").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split_whitespace()).unwrap();
        Flags::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn flags_win_over_the_file_whose_paths_are_relative_to_it() {
        let flags = flags("--lease 5");
        let text = "lease = 30\nstate_dir = \"s\"\n";
        let layers = Layers::over(&flags, text, "etc/c.toml".into(), "etc".into()).unwrap();
        assert_eq!(layers.number("lease", 1..=60), Some(5));
        assert_eq!(layers.path("state_dir"), Some("etc/s".into()));
        assert_eq!(layers.text("log"), None);
        layers.finish().unwrap();
    }

    #[test]
    fn all_mistakes_come_at_once_with_their_place() {
        let flags = flags("--lease x --log loud");
        let text = "state_dir = 3\nlog = \"info\"\nleas = 4\n";
        let layers = Layers::over(&flags, text, "c.toml".into(), "".into()).unwrap();
        assert_eq!(layers.path("state_dir"), None);
        assert_eq!(layers.number("lease", 1..=60), None);
        let log = layers.text("log");
        assert_eq!(layers.keep("log", log.unwrap().parse::<u8>()), None);
        let expected = "c.toml:1: state_dir: 3 is not a string\n\
            c.toml:3: leas: unknown key; did you mean \"lease\"?\n\
            --lease: \"x\" is not a whole number\n\
            --log: invalid digit found in string";
        assert_eq!(layers.finish().unwrap_err().to_string(), expected);
    }

    #[test]
    fn bounds_are_kept_whatever_the_layer() {
        let flags = flags("");
        let layers = Layers::over(&flags, "lease = 61", "c.toml".into(), "".into()).unwrap();
        assert_eq!(layers.number("lease", 1..=60), None);
        assert_eq!(
            layers.finish().unwrap_err().to_string(),
            "c.toml:1: lease: 61 is out of range: use 1 to 60"
        );
    }
}
