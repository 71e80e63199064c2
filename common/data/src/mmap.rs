//! The bytes of an encoded data set, mapped or in memory, and their view as numbers: the only place of
//! this crate with unsafe code.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Deref;

use bytes::Bytes;
use memmap2::Mmap;

// Numbers are stored little-endian and read in place.
const _: () = assert!(cfg!(target_endian = "little"), "encoded data sets are little-endian");

/// Bytes whose start is aligned for every number type of the format.
pub(crate) enum Storage {
    Mapped(Mmap),
    Shared(Bytes),
}

impl Storage {
    /// Maps a whole file.
    pub(crate) fn map(file: &File) -> io::Result<Self> {
        // SAFETY: a mapping is undefined if the file shrinks or changes while it is used. Encoded files are
        // written under another name, synced and renamed (`write_atomically`), and never written again:
        // their content is their name. Whoever edits one by force breaks the same promise as one who edits
        // the program's own file. What depends on values (indices, text) is checked again where it is used,
        // so that even then no index reaches outside.
        let map = unsafe { Mmap::map(file)? };
        Ok(Self::Mapped(map))
    }

    /// The bytes, shared: those of a mapping stay mapped as long as anyone holds them.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Mapped(map) => Bytes::from_owner(map),
            Self::Shared(bytes) => bytes,
        }
    }

    /// Takes bytes in memory, copied once if they are not aligned.
    pub(crate) fn shared(bytes: Bytes) -> Self {
        const ALIGN: usize = align_of::<u64>();
        if bytes.as_ptr().align_offset(ALIGN) == 0 {
            return Self::Shared(bytes);
        }
        let mut copy = vec![0; bytes.len() + ALIGN];
        let start = copy.as_ptr().align_offset(ALIGN).min(ALIGN);
        copy[start..start + bytes.len()].copy_from_slice(&bytes);
        Self::Shared(Bytes::from(copy).slice(start..start + bytes.len()))
    }
}

impl Deref for Storage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A number type of which every bit pattern is a value, without padding.
///
/// # Safety
/// Implement it only for such types.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: every bit pattern of these is a value, and they have no padding.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for i16 {}
// SAFETY: as above.
unsafe impl Plain for u8 {}

/// Views bytes as numbers, or `None` if they are not aligned or not whole numbers.
pub(crate) fn numbers<T: Plain>(bytes: &[u8]) -> Option<&[T]> {
    // SAFETY: `T` is `Plain`: any bytes are valid values, and `align_to` splits only at aligned, whole ones.
    let (head, numbers, tail) = unsafe { bytes.align_to::<T>() };
    (head.is_empty() && tail.is_empty()).then_some(numbers)
}

/// Views numbers as bytes, as they are stored.
pub(crate) fn stored<T: Plain>(numbers: &[T]) -> &[u8] {
    // SAFETY: `T` is `Plain`, so it has no padding: all of its bytes are initialised; `u8` has no alignment.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// Views numbers as bytes that may be changed, as they are stored.
pub(crate) fn stored_mut<T: Plain>(numbers: &mut [T]) -> &mut [u8] {
    // SAFETY: as in `stored`; and any bytes written are values of a `Plain` type.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unaligned_bytes_are_copied_to_an_aligned_place() {
        let bytes = Bytes::from((0u8..200).collect::<Vec<_>>());
        for skip in 0..16 {
            let storage = Storage::shared(bytes.slice(skip..skip + 64));
            assert_eq!(&storage[..], &bytes[skip..skip + 64]);
            assert_eq!(numbers::<u64>(&storage).unwrap().len(), 8);
        }
    }

    #[test]
    fn numbers_are_read_as_they_are_stored() {
        let values = [1.5f32, -0.0, f32::INFINITY];
        assert_eq!(stored(&values)[..4], 1.5f32.to_le_bytes());
        assert_eq!(numbers::<f32>(stored(&values)).unwrap(), values);
        let storage = Storage::shared(Bytes::from(vec![0; 9]));
        assert!(numbers::<u32>(&storage).is_none());
        assert!(numbers::<u32>(&storage[1..]).is_none());
    }
}
