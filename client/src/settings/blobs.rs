//! Settings of the blob store, the same for both daemons.

use umbra_runtime::blobs::{Access, Place};

use super::{Daemon, Layers, Setting};

/// Where the interface of an object store is.
pub const ENDPOINT: Setting = Setting {
    key: "blobs_endpoint",
    flag: "blobs-endpoint",
    variable: "UMBRA_BLOBS_ENDPOINT",
    value: "URL",
    help: "Where the object store answers, if not where its provider has it",
    default: None,
};

/// Whom to trust for it.
pub const AUTHORITIES: Setting = Setting {
    key: "blobs_ca",
    flag: "blobs-ca",
    variable: "UMBRA_BLOBS_CA",
    value: "FILE",
    help: "Certificates (PEM) of authorities that vouch for the object store, beside the system's",
    default: None,
};

/// The store and how to reach it, if one is named. Credentials are the provider's own variables.
pub fn read<D: Daemon>(layers: &Layers<'_, D>) -> Option<(Place, Access)> {
    let endpoint = layers.text(ENDPOINT.key);
    let authorities = layers.path(AUTHORITIES.key);
    let Some(text) = layers.text("blobs") else {
        for (setting, given) in [(ENDPOINT, endpoint.is_some()), (AUTHORITIES, authorities.is_some())] {
            if given {
                layers.mistake(setting.key, "it needs blobs beside it");
            }
        }
        return None;
    };
    let place = match layers.keep("blobs", text.parse::<Place>())? {
        Place::Memory => {
            layers.mistake("blobs", "memory: goes with the process: name a folder or a bucket");
            return None;
        }
        // A plain path in the file is relative to it.
        Place::Folder(_) if !text.contains("://") => Place::Folder(layers.path("blobs")?),
        place => place,
    };
    Some((place, Access { endpoint, authorities, ..Access::from_environment() }))
}
