//! The membership that packs of one audit share, drawn once.

use std::sync::{Arc, Mutex, PoisonError};

use umbra_core::digest::Digest;
use umbra_core::membership::Membership;
use umbra_core::seed::Seed;
use umbra_core::spec::{AuditSpec, Shadows};
use umbra_data::Dataset;

/// The membership that was asked for last. Audits come one after the other, so one is enough.
#[derive(Default)]
pub(super) struct Memberships(Mutex<Option<(Key, Arc<Membership>)>>);

/// What a membership depends on; the content's digest stands for the units.
#[derive(PartialEq)]
struct Key {
    seed: Seed,
    shadows: Shadows,
    content: Digest,
}

impl Memberships {
    /// The membership of an audit. Threads that want the same one at the same time wait for one drawing.
    pub(super) fn get(&self, spec: &AuditSpec, data: &Dataset) -> Arc<Membership> {
        let (seed, shadows) = (spec.seed().clone(), spec.shadows().clone());
        let key = Key { seed, shadows, content: data.digest() };
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some((known, membership)) if *known == key => membership.clone(),
            _ => {
                let units: Vec<Digest> = data.unit_digests().collect();
                let membership = Arc::new(Membership::of(spec, &units));
                *latest = Some((key, membership.clone()));
                membership
            }
        }
    }
}
