//! Reading an array piece by piece.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use super::dtype::Dtype;
use super::error::NpyError;
use super::header::{self, Header, Said};
use super::number::fortran_place;
use crate::positioned::read_at;

/// Bytes that are read at once where an array is gone through from end to end.
const CHUNK: usize = 1 << 20;

/// An array in a file, opened. Several threads may read at once: every read names its position.
#[derive(Debug)]
pub struct NpyFile {
    file: File,
    name: String,
    header: Header,
}

impl NpyFile {
    /// Opens a file and checks that its array fills it exactly.
    ///
    /// # Errors
    /// If it cannot be read, is no NPY file, holds items of a type that is not read, or is cut off.
    pub fn open(path: &Path) -> Result<Self, NpyError> {
        let name = path.display().to_string();
        let io = |source| NpyError::Io { name: name.clone(), source };
        // Asked before it is opened: opening a pipe would wait for its other end.
        let found = std::fs::metadata(path).map_err(io)?;
        if !found.is_file() {
            return Err(NpyError::Wrong { name, what: "it is not a file; name an NPY file".to_owned() });
        }
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        Self::of(file, name, length)
    }

    /// Takes a file of `length` bytes that is open already, under a name for messages.
    pub(crate) fn of(file: File, name: String, length: u64) -> Result<Self, NpyError> {
        let header = header::read(&file, length).map_err(|said| match said {
            Said::Io(source) => NpyError::Io { name: name.clone(), source },
            Said::Wrong(what) => NpyError::Wrong { name: name.clone(), what },
        })?;
        Ok(Self { file, name, header })
    }

    /// Checks the header at the beginning of what will be a file of `length` bytes.
    pub(crate) fn promise(file: &File, length: u64, name: &str) -> Result<(), NpyError> {
        match header::read(file, length) {
            Ok(_) => Ok(()),
            Err(Said::Io(source)) => Err(NpyError::Io { name: name.to_owned(), source }),
            Err(Said::Wrong(what)) => Err(NpyError::Wrong { name: name.to_owned(), what }),
        }
    }

    /// Reads whole positions of the first axis as they are stored, each in C order, into `raw`.
    pub(crate) fn read_records(&self, rows: Range<usize>, raw: &mut Vec<u8>) -> Result<(), NpyError> {
        let size = self.header.dtype.size;
        let (count, rest) = (self.header.shape[0], &self.header.shape[1..]);
        let per: usize = rest.iter().product();
        raw.resize(rows.len() * per * size, 0);
        if !self.header.fortran || rest.is_empty() {
            return self.read_items((rows.start * per) as u64..(rows.end * per) as u64, raw);
        }
        // The first axis runs fastest: for every place of a record, those of all records lie side by side.
        let mut run = vec![0; rows.len() * size];
        for place in 0..per {
            let at = fortran_place(rest, place) * count + rows.start;
            self.read_items(at as u64..(at + rows.len()) as u64, &mut run)?;
            for (record, item) in raw.chunks_exact_mut(per * size).zip(run.chunks_exact(size)) {
                record[place * size..][..size].copy_from_slice(item);
            }
        }
        Ok(())
    }

    /// The path as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The type of the items.
    pub fn dtype(&self) -> Dtype {
        self.header.dtype
    }

    /// An error about this file.
    pub fn wrong(&self, what: impl Into<String>) -> NpyError {
        NpyError::Wrong { name: self.name.clone(), what: what.into() }
    }

    /// Whether the first axis is the one that runs fastest.
    pub(super) fn is_fortran(&self) -> bool {
        self.header.fortran
    }

    /// Reads the items `range`, counted as they are stored, into `raw`.
    pub(super) fn read_items(&self, range: Range<u64>, raw: &mut [u8]) -> Result<(), NpyError> {
        debug_assert!(range.end <= self.header.items);
        let at = self.header.start + range.start * self.header.dtype.size as u64;
        read_at(&self.file, raw, at).map_err(|source| NpyError::Io { name: self.name.clone(), source })
    }

    /// Goes through all items in the order they are stored; `visit` gets the place of an item in C order
    /// and its bytes, and may end it all with an error.
    pub(super) fn for_each_item<E: From<NpyError>>(
        &self,
        mut visit: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let size = self.header.dtype.size;
        let many = (CHUNK / size).max(1) as u64;
        let mut raw = vec![0; (many.min(self.header.items) as usize) * size];
        let mut first = 0;
        while first < self.header.items {
            let end = self.header.items.min(first + many);
            let bytes = &mut raw[..(end - first) as usize * size];
            self.read_items(first..end, bytes)?;
            for (item, bytes) in (first..end).zip(bytes.chunks_exact(size)) {
                visit(self.place(item as usize), bytes)?;
            }
            first = end;
        }
        Ok(())
    }

    /// Where an item, counted as it is stored, stands in C order.
    fn place(&self, item: usize) -> usize {
        if !self.header.fortran || self.header.shape.len() < 2 {
            return item;
        }
        let mut rest = item;
        let mut place = 0;
        let mut stride = self.header.items as usize;
        for &axis in &self.header.shape {
            stride /= axis;
            place += rest % axis * stride;
            rest /= axis;
        }
        place
    }
}
