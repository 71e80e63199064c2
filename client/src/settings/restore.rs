//! Settings of `umbra cluster restore`: where the meta store is, named as the coordinator names it.

use std::path::PathBuf;

use super::coordinator::STATE;
use super::{Daemon, Flags, Layers, Meta, Setting, meta};
use crate::exit::Failure;

/// Where to restore to.
#[derive(Debug)]
pub struct RestoreSettings {
    /// The coordinator's state folder.
    pub state: PathBuf,
    /// Its meta store.
    pub meta: Meta,
}

impl Daemon for RestoreSettings {
    const SETTINGS: &'static [Setting] = &[
        Setting {
            key: "state",
            flag: "state",
            variable: "UMBRA_STATE",
            value: "DIR",
            help: "The coordinator's state folder; an embedded meta store is made in it",
            default: Some(STATE),
        },
        meta::META,
        meta::ENDPOINTS,
        meta::PREFIX,
        meta::USER,
        meta::PASSWORD,
        meta::AUTHORITIES,
        meta::CERTIFICATE,
        meta::KEY,
        meta::LEASE,
    ];
}

impl RestoreSettings {
    /// Checks flags and variables.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn read(flags: &Flags<Self>) -> Result<Self, Failure> {
        let layers = Layers::read(flags, None)?;
        let state = layers.path("state").unwrap_or_else(|| PathBuf::from(STATE));
        let meta = meta::read(&layers);
        layers.finish()?;
        Ok(Self { state, meta: meta.expect("what has no mistakes is complete") })
    }
}
