//! What a connected worker said of itself and of the devices of its slots, in bounds.

use std::collections::BTreeSet;

use umbra_core::ids::WorkerId;
use umbra_proto::v1::{Hello, SlotDevice};

/// Bytes of a release's name.
const MAX_VERSION: usize = 80;
/// Bytes of a host's name.
const MAX_HOST: usize = 253;
/// Bytes of a device's name.
const MAX_NAME: usize = 128;
/// Bytes of the reason why a slot is lost.
const MAX_REASON: usize = 300;

/// A connected worker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Member {
    /// Its release.
    pub version: String,
    /// Its host's name.
    pub host: String,
    /// Unix time in milliseconds of its hello.
    pub since: u64,
    slots: u32,
    devices: Vec<SlotDevice>,
}

/// A heartbeat that tells of too few or too many slots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the worker tells of {told} devices, but has {slots} slots")]
pub struct Uneven {
    told: usize,
    slots: u32,
}

impl Member {
    /// A worker that said hello.
    ///
    /// # Errors
    /// [`Uneven`] if it tells of some of its slots only.
    pub fn try_new(hello: &Hello, since: u64) -> Result<Self, Uneven> {
        let version = cut(&hello.version, MAX_VERSION);
        let host = cut(&hello.host, MAX_HOST);
        let mut member = Self { version, host, since, slots: hello.slots, devices: Vec::new() };
        member.hear(&hello.devices)?;
        Ok(member)
    }

    /// Takes in what it tells of its devices and answers with the slots that it has lost since. A message
    /// without devices says nothing. What is lost stays so, for the first reason that was given.
    ///
    /// # Errors
    /// [`Uneven`] if it tells of some of its slots only.
    pub fn hear(&mut self, told: &[SlotDevice]) -> Result<BTreeSet<u32>, Uneven> {
        if told.is_empty() {
            return Ok(BTreeSet::new());
        }
        if told.len() != self.slots as usize {
            return Err(Uneven { told: told.len(), slots: self.slots });
        }
        let mut devices: Vec<SlotDevice> = told.iter().map(bounded).collect();
        let mut lost = BTreeSet::new();
        for (slot, device) in (0..).zip(&mut devices) {
            match self.lost(slot) {
                Some(reason) => reason.clone_into(&mut device.lost),
                None if !device.lost.is_empty() => {
                    lost.insert(slot);
                }
                None => {}
            }
        }
        self.devices = devices;
        Ok(lost)
    }

    /// What it tells of a slot.
    pub fn device(&self, slot: u32) -> Option<&SlotDevice> {
        self.devices.get(slot as usize)
    }

    /// Every device it tells of, by slot.
    pub fn devices(&self) -> impl Iterator<Item = (u32, &SlotDevice)> {
        (0..).zip(&self.devices)
    }

    /// The slots that it has lost.
    pub fn lost_slots(&self) -> BTreeSet<u32> {
        self.devices().filter(|(_, device)| !device.lost.is_empty()).map(|(slot, _)| slot).collect()
    }

    /// Why it has lost a slot; nothing while it has not.
    pub fn lost(&self, slot: u32) -> Option<&str> {
        self.device(slot).map(|device| device.lost.as_str()).filter(|reason| !reason.is_empty())
    }
}

/// Lost slots that were logged, so that a worker that says hello again is not news.
#[derive(Debug, Default)]
pub struct Warned(BTreeSet<(WorkerId, u32)>);

impl Warned {
    /// The most that are remembered; beyond them, some are logged again.
    const MOST: usize = 10_000;

    /// Whether this is the first time.
    pub fn is_news(&mut self, worker: &WorkerId, slot: u32) -> bool {
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert((worker.clone(), slot))
    }
}

fn bounded(told: &SlotDevice) -> SlotDevice {
    let finite = told.utilisation.filter(|share| share.is_finite());
    SlotDevice {
        name: cut(&told.name, MAX_NAME),
        memory_bytes: told.memory_bytes,
        memory_free_bytes: told.memory_free_bytes.min(told.memory_bytes),
        utilisation: finite.map(|share| share.clamp(0.0, 1.0)),
        lost: cut(&told.lost, MAX_REASON),
    }
}

/// The first bytes of a text, without control characters.
fn cut(text: &str, most: usize) -> String {
    let shown = &text[..text.floor_char_boundary(most)];
    shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(lost: &str) -> SlotDevice {
        SlotDevice { name: "H100".into(), lost: lost.into(), ..SlotDevice::default() }
    }

    fn member(devices: &[SlotDevice]) -> Result<Member, Uneven> {
        Member::try_new(&Hello { slots: 2, devices: devices.to_vec(), ..Hello::default() }, 7)
    }

    #[test]
    fn a_slot_is_lost_once_and_stays_so() {
        let mut member = member(&[device(""), device("first")]).unwrap();
        assert_eq!(member.lost_slots(), BTreeSet::from([1]));
        assert_eq!(member.hear(&[device("late"), device("")]), Ok(BTreeSet::from([0])));
        assert_eq!(member.hear(&[device("other"), device("other")]), Ok(BTreeSet::new()));
        assert_eq!(member.hear(&[]), Ok(BTreeSet::new()));
        assert_eq!((member.lost(0), member.lost(1)), (Some("late"), Some("first")));
    }

    #[test]
    fn some_slots_are_none_and_an_earlier_release_tells_nothing() {
        assert!(member(&[device("")]).is_err());
        let mut member = member(&[]).unwrap();
        assert_eq!((member.device(0), member.lost(0)), (None, None));
        let message = member.hear(&vec![device(""); 3]).unwrap_err().to_string();
        assert_eq!(message, "the worker tells of 3 devices, but has 2 slots");
        assert!(member.hear(&[device(""), device("x")]).is_ok_and(|lost| lost.contains(&1)));
    }

    #[test]
    fn what_comes_from_the_wire_is_bounded() {
        let absurd = |utilisation| SlotDevice {
            name: format!("a\n\u{1b}{}", "é".repeat(1000)),
            memory_bytes: 5,
            memory_free_bytes: u64::MAX,
            utilisation: Some(utilisation),
            lost: "x".repeat(5000),
        };
        let shares = [f64::NAN, f64::INFINITY, -3.0, 1.5, 0.5].map(|share| {
            let bounded = bounded(&absurd(share));
            assert!(bounded.name.len() <= MAX_NAME && bounded.name.starts_with("a  é"), "{}", bounded.name);
            assert_eq!((bounded.memory_free_bytes, bounded.lost.len()), (5, MAX_REASON));
            bounded.utilisation
        });
        assert_eq!(shares, [None, None, Some(0.0), Some(1.0), Some(0.5)]);
    }

    #[test]
    fn a_loss_is_news_once_and_the_memory_of_it_is_bounded() {
        let worker = WorkerId::try_new("w").unwrap();
        let mut warned = Warned::default();
        assert!(warned.is_news(&worker, 0) && warned.is_news(&worker, 1) && !warned.is_news(&worker, 0));
        (0..30_000).for_each(|slot| {
            warned.is_news(&worker, slot);
        });
        assert!(warned.0.len() <= Warned::MOST);
    }
}
