//! A buffer of floats that starts on a cache line.

use std::ops::{Deref, DerefMut};

/// Floats, 64-byte aligned, zero at first, of a fixed number.
#[derive(Debug)]
pub struct Floats {
    store: Vec<f32>,
    start: usize,
    len: usize,
}

impl Floats {
    const LINE: usize = 16;

    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self::aligned(vec![0.0f32; len + Self::LINE], len)
    }

    /// `len` zeros, or none if there is no memory for them.
    pub fn try_zeros(len: usize) -> Option<Self> {
        let mut store = Vec::new();
        store.try_reserve_exact(len.checked_add(Self::LINE)?).ok()?;
        store.resize(len + Self::LINE, 0.0);
        Some(Self::aligned(store, len))
    }

    fn aligned(store: Vec<f32>, len: usize) -> Self {
        let start = store.as_ptr().align_offset(Self::LINE * size_of::<f32>()).min(Self::LINE);
        Self { store, start, len }
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.store[self.start..][..self.len]
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.store[self.start..][..self.len]
    }
}
