//! Which blobs are garbage: a decision about names and ages alone.

use std::collections::BTreeSet;
use std::time::Duration;

use umbra_core::digest::Digest;
use umbra_core::ids::AuditId;
use umbra_core::places;

/// What records name.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Keys of blobs: results, checkpoints, findings and data sets.
    pub keys: BTreeSet<String>,
    /// Folders of live fences, ending in `/`: what is written there is about to be reported.
    pub folders: BTreeSet<String>,
}

impl Kept {
    /// Whether records name a blob, or may do so soon.
    pub fn has(&self, key: &str) -> bool {
        // Folders do not lie within one another, so only the last one before the key can be its beginning.
        let before = self.folders.range(..=key.to_owned()).next_back();
        self.keys.contains(key) || before.is_some_and(|folder| key.starts_with(folder.as_str()))
    }
}

/// Whether a blob is garbage: one that no record names, that only this program can have written, and that is
/// too old to be on its way into a record. Of one whose age is not known it is never said.
pub fn is_garbage(key: &str, age: Option<Duration>, kept: &Kept, grace: Duration) -> bool {
    age.is_some_and(|age| age >= grace) && is_ours(key) && !kept.has(key)
}

/// Whether a key looks like one of [`places`]. Whatever else lies in the store is left alone.
fn is_ours(key: &str) -> bool {
    let parts: Vec<&str> = key.split('/').collect();
    let number = |part: &str, prefix: &str| {
        part.strip_prefix(prefix).is_some_and(|number| number.parse::<u64>().is_ok())
    };
    match parts[..] {
        [places::DATASETS, digest] => digest.parse::<Digest>().is_ok(),
        [places::AUDITS, audit, findings, _] => {
            AuditId::try_new(audit).is_ok() && findings.strip_prefix("findings-").is_some_and(is_term)
        }
        [places::AUDITS, audit, pack, fence, _] => {
            AuditId::try_new(audit).is_ok() && number(pack, "pack-") && number(fence, "fence-")
        }
        _ => false,
    }
}

/// Whether a text names a leader's term: its epoch, in a store that was restored after the number of its life.
fn is_term(text: &str) -> bool {
    text.split('-').count() <= 2 && text.split('-').all(|number| number.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(100);

    fn kept(keys: &[&str], folders: &[&str]) -> Kept {
        let set = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Kept { keys: set(keys), folders: set(folders) }
    }

    #[test]
    fn what_is_named_young_or_not_ours_stays() {
        let digest = Digest::of(b"set").to_string();
        let (set, old) = (format!("dataset/{digest}"), Some(GRACE));
        let named = kept(&["audit/a-1/pack-0/fence-3/logits", &set], &["audit/a-1/pack-1/fence-7/"]);
        let is = |key: &str, age| is_garbage(key, age, &named, GRACE);
        for key in [
            "audit/a-1/pack-0/fence-2/logits",
            "audit/a-1/pack-0/fence-3/checkpoint-5",
            "audit/a-1/pack-1/fence-77/logits",
            "audit/a-1/pack-1/fence-6/checkpoint-5",
            "audit/gone-2/pack-9/fence-1/logits",
            "audit/gone-2/findings-4/summary.json",
            "audit/gone-2/findings-1-4/summary.json",
            &format!("dataset/{}", Digest::of(b"other")),
        ] {
            assert!(is(key, old), "{key}");
            assert!(!is(key, Some(GRACE - Duration::from_millis(1))), "{key} is young");
            assert!(!is(key, None), "{key} is of the future");
        }
        for key in [
            "audit/a-1/pack-0/fence-3/logits",
            "audit/a-1/pack-1/fence-7/logits",
            "audit/a-1/pack-1/fence-7/checkpoint-500",
            &set,
            "meta/store-id",
            "dataset/notes",
            "audit/a-1/readme",
            "audit/a-1/findings-x/summary.json",
            "audit/a-1/findings-1-2-3/summary.json",
            "audit/a-1/pack-x/fence-1/logits",
            "audit/a-1/pack-1/fence-1/deeper/logits",
            "audit/A B/pack-1/fence-1/logits",
            "other/a-1/pack-1/fence-1/logits",
        ] {
            assert!(!is(key, old), "{key}");
        }
    }

    #[test]
    fn a_live_fence_is_found_among_its_neighbours() {
        let folders: Vec<String> =
            (0..200).step_by(2).map(|fence| format!("audit/a-1/pack-1/fence-{fence}/")).collect();
        let live = kept(&[], &folders.iter().map(String::as_str).collect::<Vec<_>>());
        for fence in 0..200u32 {
            let key = format!("audit/a-1/pack-1/fence-{fence}/logits");
            assert_eq!(live.has(&key), fence.is_multiple_of(2), "{key}");
        }
    }
}
