//! Both stores in real processes that are killed, or whose disk has no more room.
//!
//! The tests run this binary again as their child. They take turns: a child between its fork and its
//! exec holds the parent's open files, and with them the locks of a store that another test reopens.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![cfg(unix)]

mod blobs;
#[path = "../store_blobs/common.rs"]
mod common;
mod meta;

use std::sync::{Mutex, MutexGuard, PoisonError};

fn my_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
