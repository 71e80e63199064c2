//! The numbers of records on their way through a scratch file: written in the order of the rows, read in
//! canonical order. Only blocks of a few megabytes are ever in memory.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::ops::Range;

use umbra_core::digest::Digest;
use umbra_core::shape::Form;

use crate::channels::Planned;
use crate::moments::Moments;
use crate::positioned::read_at;
use crate::refusal::{ImportError, Problems};
use crate::scratch;
use crate::values::{Channel, Number};
use crate::writer::Writer;

/// Bytes of the records that are read together.
const BLOCK: usize = 4 << 20;

/// How records lie.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecordForm {
    pub number: Number,
    pub form: Form,
    pub channels: Vec<Planned>,
}

/// Where records come from.
pub(crate) trait RecordSource {
    /// Writes records of these rows as they are to be stored into `out`, channels last. Asked for every row
    /// once, in order. Notes rows that are not what they should be, and goes on.
    fn read(&mut self, rows: Range<u64>, out: &mut [u8], problems: &mut Problems) -> Result<(), ImportError>;
}

/// Records in a scratch file, in the order of the rows.
pub(crate) struct Spooled {
    pub form: RecordForm,
    file: File,
}

impl RecordForm {
    /// Numbers of a record.
    pub(crate) fn features(&self) -> usize {
        self.form.features().map_or(0, |features| features as usize)
    }

    /// Bytes of a record.
    pub(crate) fn record_bytes(&self) -> usize {
        self.features() * self.number.bytes()
    }
}

impl Spooled {
    /// Reads all records, and gives their digests.
    pub(crate) fn fill(
        source: &mut dyn RecordSource,
        form: RecordForm,
        records: u64,
        problems: &mut Problems,
    ) -> Result<(Self, Vec<Digest>), ImportError> {
        let bytes = form.record_bytes();
        let mut out = BufWriter::with_capacity(1 << 20, scratch::file()?);
        let mut digests = Vec::with_capacity(records as usize);
        let together = (BLOCK / bytes).clamp(1, 1 << 16) as u64;
        let mut block = vec![0; bytes * together.min(records) as usize];
        let mut first = 0;
        while first < records {
            let rows = first..records.min(first + together);
            let block = &mut block[..bytes * (rows.end - rows.start) as usize];
            first = rows.end;
            source.read(rows, block, problems)?;
            // After a mistake the rest is only looked at.
            if problems.is_empty() {
                digests.extend(block.chunks_exact(bytes).map(Digest::of));
                out.write_all(block).map_err(scratch::failed)?;
            }
        }
        problems.check()?;
        let file = out.into_inner().map_err(|error| scratch::failed(error.into_error()))?;
        Ok((Self { form, file }, digests))
    }

    /// Writes the records in another order, and gives their channels.
    pub(crate) fn write<W: Write + Seek>(
        &self,
        order: &[u32],
        writer: &mut Writer<W>,
    ) -> io::Result<Vec<Channel>> {
        let bytes = self.form.record_bytes();
        let mut record = vec![0; bytes];
        let mut moments = Moments::new(self.form.number, self.form.channels.len());
        for &row in order {
            read_at(&self.file, &mut record, u64::from(row) * bytes as u64)?;
            moments.add(&record);
            writer.values(&record)?;
        }
        let measured = moments.finish();
        let channel = |(planned, measured): (&Planned, (f64, f64))| {
            let (mean, sd) = planned.given.unwrap_or(measured);
            Channel { name: planned.name.clone(), mean, sd }
        };
        Ok(self.form.channels.iter().zip(measured).map(channel).collect())
    }
}
