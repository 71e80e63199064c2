//! What the slots train on, and which of them have lost it: shared by the slots, that know, and the session,
//! that tells the coordinator.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use umbra_proto::v1::SlotDevice;

/// What the slots of a worker train on. A slot that has lost its device takes no more packs; the others go
/// on.
#[derive(Debug)]
pub struct Devices {
    board: Mutex<Board>,
    news: Notify,
}

#[derive(Debug)]
struct Board {
    slots: Vec<SlotDevice>,
    /// A slot was lost and the coordinator has not been told.
    untold: bool,
}

/// What a device tells of itself at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceReading {
    /// Bytes of its memory.
    pub memory_bytes: u64,
    /// Bytes of it that are free.
    pub memory_free_bytes: u64,
    /// The share of time it was busy of late, 0 to 1, where it tells.
    pub utilisation: Option<f64>,
}

impl Devices {
    /// Devices by name, one a slot.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let slots = names.into_iter().map(|name| SlotDevice { name, ..SlotDevice::default() }).collect();
        Self { board: Mutex::new(Board { slots, untold: false }), news: Notify::new() }
    }

    /// Notes what the device of a slot tells now.
    pub fn read(&self, slot: u32, reading: DeviceReading) {
        if let Some(device) = self.board().slots.get_mut(slot as usize) {
            device.memory_bytes = reading.memory_bytes;
            device.memory_free_bytes = reading.memory_free_bytes;
            device.utilisation = reading.utilisation;
        }
    }

    /// Takes a slot out for as long as the process lives, for a reason in one sentence. The first reason
    /// stays.
    pub fn lose(&self, slot: u32, reason: &str) {
        let mut board = self.board();
        let Some(device) = board.slots.get_mut(slot as usize).filter(|device| device.lost.is_empty()) else {
            return;
        };
        reason.clone_into(&mut device.lost);
        tracing::warn!(slot, device = device.name, reason, "take a slot out");
        board.untold = true;
        drop(board);
        self.news.notify_one();
    }

    /// Why a slot takes no more packs; nothing while it does.
    pub fn lost(&self, slot: u32) -> Option<String> {
        let board = self.board();
        let device = board.slots.get(slot as usize);
        device.map(|device| device.lost.clone()).filter(|reason| !reason.is_empty())
    }

    /// Why no slot takes packs any more; nothing while one does.
    pub fn all_lost(&self) -> Option<String> {
        let board = self.board();
        let lost = |device: &SlotDevice| (!device.lost.is_empty()).then(|| device.lost.clone());
        if board.slots.iter().all(|device| lost(device).is_some()) {
            board.slots.iter().find_map(lost)
        } else {
            None
        }
    }

    /// Every slot as the coordinator is told of it.
    pub(crate) fn wire(&self) -> Vec<SlotDevice> {
        self.board().slots.clone()
    }

    /// Waits until a slot is lost. A loss is not missed between two waits.
    pub(crate) async fn changed(&self) {
        self.news.notified().await;
    }

    /// Whether a slot was lost since this was last asked.
    pub(crate) fn take_untold(&self) -> bool {
        std::mem::take(&mut self.board().untold)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Nothing panics while it is held.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_slot_is_lost_once_and_told_once() {
        let devices = Devices::new(["cpu".to_owned(), "H100".to_owned()]);
        assert!(!devices.take_untold() && devices.changed().now_or_never().is_none());
        devices.lose(1, "it fell off the bus");
        devices.lose(1, "again");
        devices.lose(2, "there is no such slot");
        assert_eq!(devices.lost(1).as_deref(), Some("it fell off the bus"));
        assert_eq!((devices.lost(0), devices.lost(2), devices.all_lost()), (None, None, None));
        assert!(devices.changed().now_or_never().is_some() && devices.changed().now_or_never().is_none());
        assert!(devices.take_untold() && !devices.take_untold());
        let lost: Vec<_> = devices.wire().into_iter().map(|device| device.lost).collect();
        assert_eq!(lost, ["", "it fell off the bus"]);
        devices.lose(0, "so did this");
        assert_eq!(devices.all_lost().as_deref(), Some("so did this"));
    }

    #[test]
    fn the_latest_reading_is_told() {
        let devices = Devices::new(["cpu".to_owned(), "H100".to_owned()]);
        for free in [70, 30] {
            let reading = DeviceReading { memory_bytes: 80, memory_free_bytes: free, utilisation: Some(0.5) };
            devices.read(1, reading);
            devices.read(9, reading);
        }
        let cpu = SlotDevice { name: "cpu".to_owned(), ..SlotDevice::default() };
        let gpu = SlotDevice {
            name: "H100".to_owned(),
            memory_bytes: 80,
            memory_free_bytes: 30,
            utilisation: Some(0.5),
            lost: String::new(),
        };
        assert_eq!(devices.wire(), [cpu, gpu]);
    }
}
