//! Numbers that may outgrow memory: they lie in nameless files and are mapped. They take no anonymous memory:
//! where memory is short the system writes their pages out, and reads them again when they are looked at.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use memmap2::MmapMut;

use crate::scratch::{ScratchError, ScratchFile};

/// Bytes that are written at once.
const CHUNK: usize = 1 << 18;

/// A type of which every bit pattern is a value, without padding.
///
/// # Safety
/// Implement it only for such types.
pub unsafe trait Plain: Copy + 'static {}

// SAFETY: every bit pattern of these is a value, and they have no padding.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: an array lays out its items without a gap.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// A run of numbers in a mapped file.
#[derive(Debug)]
pub struct Mapped<T> {
    /// None of nothing, which cannot be mapped.
    map: Option<MmapMut>,
    numbers: PhantomData<T>,
}

impl<T: Plain> Mapped<T> {
    /// So many numbers, all bits of which are 0, in a nameless file of `folder`; `what` they are is named in
    /// errors.
    ///
    /// # Errors
    /// If the file cannot be made, has no room, or cannot be mapped.
    pub fn zeroes(folder: &Path, what: &str, count: usize) -> Result<Self, ScratchError> {
        let file = ScratchFile::create(folder, what)?;
        let bytes = count.saturating_mul(size_of::<T>());
        // Written and not only promised: of a file with holes a full disk is noticed too late to be told.
        let zeroes = vec![0u8; CHUNK.min(bytes)];
        for at in (0..bytes).step_by(CHUNK) {
            file.write_at(at as u64, &zeroes[..CHUNK.min(bytes - at)])?;
        }
        Self::of(&file, bytes)
    }

    /// Begins a run whose length is not known yet.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn grow(folder: &Path, what: &str) -> Result<Growing<T>, ScratchError> {
        let file = ScratchFile::create(folder, what)?;
        Ok(Growing { file, waiting: Vec::new(), written: 0 })
    }

    fn of(file: &ScratchFile, bytes: usize) -> Result<Self, ScratchError> {
        let map = if bytes == 0 { None } else { Some(file.map(map)?) };
        Ok(Self { map, numbers: PhantomData })
    }
}

fn map(file: &std::fs::File) -> std::io::Result<MmapMut> {
    // SAFETY: a mapping is undefined if the file shrinks, or changes while it is looked at. This one has no
    // name, and its only handle is dropped right after.
    unsafe { MmapMut::map_mut(file) }
}

impl<T: Plain> Deref for Mapped<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let bytes: &[u8] = self.map.as_deref().unwrap_or_default();
        // SAFETY: every bit pattern is a `Plain`, and `align_to` splits only at aligned, whole ones; a
        // mapping begins at a page, so nothing is left over.
        unsafe { bytes.align_to::<T>() }.1
    }
}

impl<T: Plain> DerefMut for Mapped<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let bytes: &mut [u8] = self.map.as_deref_mut().unwrap_or_default();
        // SAFETY: as for the shared view; a `Plain` has no padding, so whatever is written is bytes.
        unsafe { bytes.align_to_mut::<T>() }.1
    }
}

/// A run of numbers that is being written.
#[derive(Debug)]
pub struct Growing<T> {
    file: ScratchFile,
    waiting: Vec<T>,
    /// Bytes.
    written: u64,
}

impl<T: Plain> Growing<T> {
    /// Appends numbers.
    ///
    /// # Errors
    /// If there is no room.
    pub fn extend(&mut self, numbers: &[T]) -> Result<(), ScratchError> {
        self.waiting.extend_from_slice(numbers);
        if size_of_val(&self.waiting[..]) >= CHUNK { self.write() } else { Ok(()) }
    }

    /// Appends a number.
    ///
    /// # Errors
    /// If there is no room.
    pub fn push(&mut self, number: T) -> Result<(), ScratchError> {
        self.extend(&[number])
    }

    fn write(&mut self) -> Result<(), ScratchError> {
        let numbers = &self.waiting[..];
        // SAFETY: a `Plain` has no padding: all of its bytes are initialised; `u8` has no alignment.
        let bytes = unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) };
        self.file.write_at(self.written, bytes)?;
        self.written += bytes.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Maps what was written.
    ///
    /// # Errors
    /// If there is no room, or the file cannot be mapped.
    pub fn finish(mut self) -> Result<Mapped<T>, ScratchError> {
        self.write()?;
        Mapped::of(&self.file, self.written as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_may_change() {
        let folder = tempfile::tempdir().unwrap();
        let count = CHUNK / size_of::<u32>() + 7;
        let mut zeroes = Mapped::<u32>::zeroes(folder.path(), "numbers", count).unwrap();
        assert!(zeroes.len() == count && zeroes.iter().all(|&number| number == 0));
        zeroes[count - 1] = 5;
        assert_eq!(zeroes[count - 2..], [0, 5]);
        let mut growing = Mapped::<[u64; 3]>::grow(folder.path(), "rows").unwrap();
        (0..40_000).for_each(|i| growing.push([i, !i, 7]).unwrap());
        let rows = growing.finish().unwrap();
        assert_eq!(rows.len(), 40_000);
        assert!((0..).zip(rows.iter()).all(|(i, row)| *row == [i, !i, 7]));
        assert!(Mapped::<u8>::zeroes(folder.path(), "nothing", 0).unwrap().is_empty());
        assert!(Mapped::<u8>::grow(folder.path(), "nothing").unwrap().finish().unwrap().is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file is seen");
    }
}
