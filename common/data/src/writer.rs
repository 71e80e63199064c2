//! Writes an encoded file from the front: values as they come, then all the rest, at last the header.

use std::io::{self, Seek, SeekFrom, Write};

use umbra_core::digest::{Digest, FieldHasher};

use crate::layout::{self, HEADER, Rest, Shape, aligned};

/// An encoded file whose values are being written.
pub(crate) struct Writer<W> {
    out: W,
    shape: Shape,
    hasher: FieldHasher,
    written: u64,
}

impl<W: Write + Seek> Writer<W> {
    /// Begins a file at the front of `out`.
    pub(crate) fn begin(mut out: W, shape: Shape) -> io::Result<Self> {
        out.write_all(&[0; HEADER])?;
        Ok(Self { out, shape, hasher: layout::begin_digest(&shape), written: 0 })
    }

    /// The next numbers, as they are stored.
    pub(crate) fn values(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.append(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Ends the file; there must have been as many values as its shape says.
    pub(crate) fn finish(mut self, rest: &Rest<'_>) -> io::Result<(W, Digest)> {
        debug_assert_eq!(self.written, self.shape.value_bytes(), "all records were written");
        let mut sections = vec![(HEADER as u64, self.written)];
        let mut end = HEADER as u64 + self.written;
        for section in rest.all() {
            let start = aligned(end as usize) as u64;
            self.out.write_all(&[0; layout::ALIGN][..(start - end) as usize])?;
            self.out.write_all(section)?;
            sections.push((start, section.len() as u64));
            end = start + section.len() as u64;
        }
        let digest = layout::end_digest(self.hasher, rest);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&layout::header(&self.shape, &digest, &sections))?;
        self.out.flush()?;
        Ok((self.out, digest))
    }
}
