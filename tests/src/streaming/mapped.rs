//! Numbers that lie in a nameless file and are mapped into memory: they take no anonymous memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::marker::PhantomData;
use std::path::Path;

use memmap2::Mmap;

/// A number type of which every bit pattern is a value: `u8`, `u32` and `u64`, and no other.
pub trait Number: Copy {
    /// Its bytes, as this machine keeps them.
    fn bytes(self) -> impl AsRef<[u8]>;
}

impl Number for u8 {
    fn bytes(self) -> impl AsRef<[u8]> {
        [self]
    }
}

impl Number for u32 {
    fn bytes(self) -> impl AsRef<[u8]> {
        self.to_ne_bytes()
    }
}

impl Number for u64 {
    fn bytes(self) -> impl AsRef<[u8]> {
        self.to_ne_bytes()
    }
}

/// A run of numbers in a mapped file.
#[derive(Debug)]
pub struct Mapped<T> {
    map: Mmap,
    numbers: PhantomData<T>,
}

impl<T: Number> Mapped<T> {
    /// Writes the numbers into a nameless file of the folder, and maps it.
    ///
    /// # Errors
    /// If the file cannot be written or mapped; there must be at least one number.
    pub fn write(folder: &Path, numbers: impl Iterator<Item = T>) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(folder)?);
        for number in numbers {
            out.write_all(number.bytes().as_ref())?;
        }
        let file: File = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        // SAFETY: a mapping is undefined if the file shrinks or changes while it is used. This one has no
        // name, and its only handle is dropped here.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map, numbers: PhantomData })
    }

    /// The numbers.
    pub fn numbers(&self) -> &[T] {
        // SAFETY: every bit pattern is a `Number`, and `align_to` splits only at aligned, whole ones; a
        // mapping begins at a page, so nothing is left over.
        unsafe { self.map.align_to::<T>() }.1
    }
}
