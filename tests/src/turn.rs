//! One test of whole processes at a time: each needs the machine for itself.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by the test whose turn it is.
pub struct Turn {
    _held: MutexGuard<'static, ()>,
}

/// Waits for this test's turn. Cargo runs test binaries one after the other, so a lock per process does.
pub fn turn() -> Turn {
    static MACHINE: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing behind: its processes are gone.
    Turn { _held: MACHINE.lock().unwrap_or_else(PoisonError::into_inner) }
}
