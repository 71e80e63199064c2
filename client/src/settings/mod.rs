//! Settings of the daemons: one table a daemon, from which flags, variables, file keys and help come.
//!
//! A flag wins over its environment variable, that over the file, that over the default. All mistakes are
//! reported at once, each with where the value came from.

mod blobs;
mod coordinator;
mod layers;
mod meta;
mod restore;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

pub use coordinator::CoordinatorSettings;
pub use layers::Layers;
pub use meta::Meta;
pub use restore::RestoreSettings;
pub use worker::{WorkerSettings, entropy, fresh_name};

/// One setting of a daemon.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key in the file.
    pub key: &'static str,
    /// Its flag, without the dashes.
    pub flag: &'static str,
    /// Its environment variable.
    pub variable: &'static str,
    /// What stands for its value in the help.
    pub value: &'static str,
    /// What it does.
    pub help: &'static str,
    /// The default as the help says it; none where nothing happens without it.
    pub default: Option<&'static str>,
}

/// A daemon that has settings.
pub trait Daemon {
    /// Its settings.
    const SETTINGS: &'static [Setting];
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A flag.
    Flag,
    /// An environment variable.
    Variable,
}

/// The settings that flags and variables give, unchecked, so that all mistakes can be reported at once.
#[derive(Clone)]
pub struct Flags<D> {
    given: BTreeMap<&'static str, (String, Source)>,
    daemon: PhantomData<D>,
}

impl<D: Daemon> Flags<D> {
    /// What was given for a key.
    pub fn get(&self, key: &str) -> Option<&(String, Source)> {
        self.given.get(key)
    }

    fn take(matches: &ArgMatches) -> Self {
        let given = D::SETTINGS.iter().filter_map(|setting| {
            let text = matches.get_one::<String>(setting.key)?.clone();
            let source = match matches.value_source(setting.key) {
                Some(ValueSource::EnvVariable) => Source::Variable,
                _ => Source::Flag,
            };
            Some((setting.key, (text, source)))
        });
        Self { given: given.collect(), daemon: PhantomData }
    }
}

impl<D> fmt::Debug for Flags<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.given).finish()
    }
}

impl<D: Daemon> clap::FromArgMatches for Flags<D> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self::take(matches))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::take(matches);
        Ok(())
    }
}

impl<D: Daemon> clap::Args for Flags<D> {
    fn augment_args(command: Command) -> Command {
        D::SETTINGS.iter().fold(command, |command, setting| {
            let help = match setting.default {
                Some(default) => format!("{} [default: {default}]", setting.help),
                None => setting.help.to_owned(),
            };
            let arg = Arg::new(setting.key)
                .long(setting.flag)
                .env(setting.variable)
                .value_name(setting.value)
                .help(help);
            command.arg(arg)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_agree<D: Daemon>() {
        for setting in D::SETTINGS {
            assert_eq!(setting.flag, setting.key.replace('_', "-"));
            assert_eq!(setting.variable, format!("UMBRA_{}", setting.key.to_uppercase()));
        }
    }

    #[test]
    fn a_setting_has_one_name_in_three_spellings() {
        names_agree::<CoordinatorSettings>();
        names_agree::<RestoreSettings>();
        names_agree::<WorkerSettings>();
    }
}
