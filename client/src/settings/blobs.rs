//! Settings of the blob store: where it is, the same for both daemons, and what a coordinator keeps.

use std::time::Duration;

use umbra_coordinator::Storage;
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

/// Blobs that are kept as files.
pub const CACHE: Setting = Setting {
    key: "cache_gib",
    flag: "cache-gib",
    variable: "UMBRA_CACHE_GIB",
    value: "N",
    help: "The most GiB of an object store's blobs kept as files in the state folder",
    default: Some("64"),
};

/// Uploads on their way.
pub const UPLOADS: Setting = Setting {
    key: "uploads_gib",
    flag: "uploads-gib",
    variable: "UMBRA_UPLOADS_GIB",
    value: "N",
    help: "The most GiB of uploads on their way that are kept on this machine's disk",
    default: Some("128"),
};

/// Garbage.
pub const GC: Setting = Setting {
    key: "gc_hours",
    flag: "gc-hours",
    variable: "UMBRA_GC_HOURS",
    value: "N",
    help: "How often blobs that nothing names any more are deleted, in hours; 0: never",
    default: Some("24"),
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

/// Bounds of what a coordinator keeps.
pub fn storage<D: Daemon>(layers: &Layers<'_, D>) -> Storage {
    let kept = Storage::default();
    let gib = |key: &str, default: u64| layers.number(key, 1..=1 << 20).map_or(default, |gib| gib << 30);
    let hours = layers.number(GC.key, 0..=24 * 365);
    let every = |hours: u64| (hours > 0).then(|| Duration::from_secs(hours * 3600));
    Storage {
        cache_bytes: gib(CACHE.key, kept.cache_bytes),
        uploads_bytes: gib(UPLOADS.key, kept.uploads_bytes),
        gc_every: hours.map_or(kept.gc_every, every),
        ..kept
    }
}

#[cfg(test)]
mod tests {
    use super::super::CoordinatorSettings;
    use super::super::coordinator::tests::read;
    use super::*;

    #[test]
    fn blobs_are_in_the_state_folder_or_at_a_place_that_lasts() {
        assert!(read("").unwrap().blobs.is_none());
        let settings =
            read("--blobs s3://ward/umbra --blobs-endpoint https://s3:9000 --cache-gib 3").unwrap();
        let (place, access) = settings.blobs.unwrap();
        assert_eq!(place.to_string(), "s3://ward/umbra");
        assert_eq!(access.endpoint.as_deref(), Some("https://s3:9000"));
        assert_eq!(settings.storage, Storage { cache_bytes: 3 << 30, ..Storage::default() });
        assert_eq!(read("--gc-hours 0").unwrap().storage.gc_every, None);
        let hours = read("--gc-hours 36").unwrap().storage.gc_every.unwrap().as_secs() / 3600;
        assert_eq!((hours, Storage::default().gc_every.unwrap().as_secs() / 3600), (36, 24));
        for (line, complaint) in [
            ("--blobs s4://ward", "--blobs: \"s4://ward\" is no place for blobs"),
            ("--blobs memory:", "--blobs: memory: goes with the process"),
            ("--blobs-endpoint https://s3", "--blobs-endpoint: it needs blobs beside it"),
            ("--cache-gib 0", "--cache-gib: 0 is out of range"),
            (
                "--meta etcd --etcd-endpoints http://127.0.0.1:2379 --blobs /b",
                "--blobs: a folder is one coordinator's alone",
            ),
        ] {
            let failure = read(line).unwrap_err().to_string();
            assert!(failure.starts_with(complaint), "{failure}");
        }
        let shown = |key: &str| CoordinatorSettings::SETTINGS.iter().find(|s| s.key == key).unwrap().default;
        let bytes = |key: &str| shown(key).unwrap().parse::<u64>().unwrap() << 30;
        let defaults = Storage::default();
        assert_eq!(bytes("cache_gib"), defaults.cache_bytes);
        assert_eq!(bytes("uploads_gib"), defaults.uploads_bytes);
    }
}
