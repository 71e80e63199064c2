//! Reading batches ahead on a thread.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use super::source::Owned;
use crate::error::DataError;
use crate::positioned::read_at;
use crate::values::{Number, Values};

/// A thread that reads the batches it is asked for, in order, into buffers that go round.
#[derive(Debug)]
pub(super) struct Streamed {
    number: Number,
    asked: Option<Sender<Batch>>,
    read: Receiver<(Batch, io::Result<()>)>,
    waiting: usize,
    spare: Vec<Batch>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Batch {
    rows: Vec<u32>,
    values: Owned,
}

impl Streamed {
    /// Starts the thread over the values that begin at `start`.
    pub(super) fn start(file: File, start: u64, number: Number, features: usize) -> io::Result<Self> {
        let (asked, to_read) = channel::<Batch>();
        let (done, read) = channel();
        let thread = Builder::new().name("umbra-data-read".to_owned()).spawn(move || {
            for mut batch in to_read {
                let result = batch.read(&file, start, features * number.bytes(), features);
                if done.send((batch, result)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { number, asked: Some(asked), read, waiting: 0, spare: Vec::new(), thread: Some(thread) })
    }

    pub(super) fn announce(&mut self, rows: &[u32]) {
        let fresh = || Batch { rows: Vec::new(), values: Owned::new(self.number) };
        let mut batch = self.spare.pop().unwrap_or_else(fresh);
        batch.rows.clear();
        batch.rows.extend_from_slice(rows);
        // A thread that is gone is noticed when the batch is taken.
        self.waiting += 1;
        let _ = self.asked.as_ref().map(|asked| asked.send(batch));
    }

    /// Hands the oldest batch to `use_it`, which gives the number of its rows.
    pub(super) fn take(&mut self, use_it: impl FnOnce(Values<'_>) -> usize) -> Result<usize, DataError> {
        if self.waiting == 0 {
            return Ok(0);
        }
        self.waiting -= 1;
        let failed = |source| DataError::Io { path: "the data set".to_owned(), source };
        let received = self.read.recv();
        let (batch, result) = received.map_err(|_| failed(io::Error::other("the reading thread stopped")))?;
        let count = result.map(|()| use_it(batch.values.view())).map_err(failed);
        self.spare.push(batch);
        count
    }
}

impl Batch {
    /// Reads the rows, neighbours in one go.
    fn read(&mut self, file: &File, start: u64, row: usize, features: usize) -> io::Result<()> {
        let bytes = self.values.fill(self.rows.len() * features);
        let mut at = 0;
        for run in self.rows.chunk_by(|&a, &b| a.checked_add(1) == Some(b)) {
            let length = run.len() * row;
            read_at(file, &mut bytes[at..at + length], start + u64::from(run[0]) * row as u64)?;
            at += length;
        }
        Ok(())
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            // It ends with the batch it reads; that it panicked was said when its batch was taken.
            let _ = thread.join();
        }
    }
}
