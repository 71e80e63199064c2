//! What the session holds of a pack at work: a way to stop it, and how far it is.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What a pack at work is told. It only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Go on.
    Work,
    /// Write a checkpoint and stop; a result that is ready already is sent instead.
    HandBack,
    /// Stop at once: nobody wants the result.
    Drop,
}

/// Gives orders to a pack at work. Clones give orders to the same pack.
#[derive(Debug, Clone)]
pub(crate) struct Orders(Arc<watch::Sender<Order>>);

impl Orders {
    /// Orders that begin with [`Order::Work`].
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Order::Work)))
    }

    /// Raises the order; a lower one changes nothing.
    pub(crate) fn raise(&self, order: Order) {
        self.0.send_if_modified(|current| {
            let rises = order > *current;
            if rises {
                *current = order;
            }
            rises
        });
    }

    /// The order now.
    pub(crate) fn now(&self) -> Order {
        *self.0.borrow()
    }

    /// Waits until the order is at least this.
    pub(crate) async fn at_least(&self, order: Order) {
        let mut orders = self.0.subscribe();
        // The sender lives in `self`, so the wait ends only with the order.
        let _ = orders.wait_for(|current| *current >= order).await;
    }
}

/// How far a pack is. The numbers of one reading belong together.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Reading>);

/// One reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Steps from the pack's start, summed over its shadows.
    pub(crate) steps_done: u64,
    /// Shadows trained.
    pub(crate) shadows_done: u32,
    /// Training records seen by this attempt.
    pub(crate) samples: u64,
}

impl Progress {
    /// Notes where the pack is.
    pub(crate) fn set(&self, reading: Reading) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reading;
    }

    /// Where the pack is.
    pub(crate) fn get(&self) -> Reading {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn orders_only_rise() {
        let orders = Orders::new();
        orders.raise(Order::Drop);
        orders.raise(Order::HandBack);
        assert_eq!(orders.now(), Order::Drop);
        orders.at_least(Order::HandBack).await;
    }
}
