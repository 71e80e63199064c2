//! Reading: bounded, in chunks, verified where it matters.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStore as _};
use umbra_core::digest::{Digest, StreamHasher};

use super::error::BlobError;
use super::key::BlobKey;
use super::{BlobStore, Stored, object};
use crate::turns::blocking;

/// Most bytes of one chunk of a stream.
pub const MAX_CHUNK: usize = 1 << 20;

/// Bytes of a file that are read and then hashed, small enough to be at hand.
const BLOCK: usize = 256 << 10;
/// Blocks of a file that are hashed in one go.
const BLOCKS: usize = 256;

/// Most bytes of one range.
pub const MAX_RANGE: u64 = 256 << 20;

/// A blob's bytes in chunks of 1 to [`MAX_CHUNK`] bytes.
pub type BlobStream = BoxStream<'static, Result<Bytes, BlobError>>;

impl BlobStore {
    /// The whole blob, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::TooLarge`], or what the store says.
    pub async fn get(&self, key: &BlobKey, limit: u64) -> Result<Bytes, BlobError> {
        let size = self.head(key).await?.size;
        if size > limit {
            return Err(BlobError::TooLarge { name: key.to_string(), limit });
        }
        self.collect(key, 0..size).await
    }

    /// The whole blob, if it has at most `limit` bytes and this digest.
    ///
    /// # Errors
    /// As [`Self::get`], and [`BlobError::Mismatch`].
    pub async fn get_verified(
        &self,
        key: &BlobKey,
        expected: &Digest,
        limit: u64,
    ) -> Result<Bytes, BlobError> {
        let bytes = self.get(key, limit).await?;
        let hashed = bytes.clone();
        let found = blocking(move || Digest::of(&hashed)).await;
        check(key, expected, found)?;
        Ok(bytes)
    }

    /// The bytes of a range of at most [`MAX_RANGE`], all of which must exist.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Range`], or what the store says.
    pub async fn get_range(&self, key: &BlobKey, range: Range<u64>) -> Result<Bytes, BlobError> {
        let size = self.head(key).await?.size;
        let Range { start, end } = range;
        if start > end || end > size || end - start > MAX_RANGE {
            return Err(BlobError::Range { key: key.clone(), start, end, size });
        }
        self.collect(key, start..end).await
    }

    /// The blob's bytes from `offset` on, in chunks; read as fast as they are taken.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Range`] if the blob is shorter than `offset`, or what the
    /// store says; later failures are items of the stream.
    pub async fn stream(&self, key: &BlobKey, offset: u64) -> Result<BlobStream, BlobError> {
        let size = self.head(key).await?.size;
        if offset > size {
            return Err(BlobError::Range { key: key.clone(), start: offset, end: size, size });
        }
        self.chunks(key, offset..size).await
    }

    /// Reads the blob and computes its digest and size.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], or what the store says.
    pub async fn digest(&self, key: &BlobKey) -> Result<Stored, BlobError> {
        let got = self.store().get_opts(&object(key), GetOptions::default()).await;
        let got = got.map_err(|error| BlobError::store(key, error))?;
        let size = got.meta.size;
        let stream = match got.payload {
            GetResultPayload::File(file, _) => {
                return digest_file(file).await.map_err(|error| BlobError::io(&error));
            }
            GetResultPayload::Stream(stream) => stream,
        };
        let mut chunks = exactly(key.clone(), size, stream);
        let mut hasher = StreamHasher::default();
        while let Some(chunk) = chunks.try_next().await? {
            hasher = blocking(move || {
                hasher.update(&chunk);
                hasher
            })
            .await;
        }
        Ok(Stored { digest: hasher.finish(), size })
    }

    /// Reads the blob and checks its digest; gives its size.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Mismatch`], or what the store says.
    pub async fn verify(&self, key: &BlobKey, expected: &Digest) -> Result<u64, BlobError> {
        let Stored { digest, size } = self.digest(key).await?;
        check(key, expected, digest)?;
        Ok(size)
    }

    /// Gathers a range whose size is known to be bounded.
    async fn collect(&self, key: &BlobKey, range: Range<u64>) -> Result<Bytes, BlobError> {
        let mut chunks = self.chunks(key, range.clone()).await?;
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        while let Some(chunk) = chunks.try_next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }

    /// The bytes of a range that lies within the blob.
    async fn chunks(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobStream, BlobError> {
        if range.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let options = GetOptions::default().with_range(Some(GetRange::Bounded(range.clone())));
        let got = self.store().get_opts(&object(key), options).await;
        let got = got.map_err(|error| BlobError::store(key, error))?;
        Ok(match got.payload {
            // The object store would read it in small pieces.
            GetResultPayload::File(file, _) => file_chunks(file, range),
            GetResultPayload::Stream(stream) => exactly(key.clone(), range.end - range.start, stream),
        })
    }
}

fn check(key: &BlobKey, expected: &Digest, found: Digest) -> Result<(), BlobError> {
    if found == *expected {
        Ok(())
    } else {
        Err(BlobError::Mismatch { key: key.clone(), expected: *expected, found })
    }
}

/// Reads a file from where it stands to its end.
pub(super) async fn digest_file(mut file: File) -> io::Result<Stored> {
    let (mut hasher, mut size) = (StreamHasher::default(), 0);
    loop {
        // In turns: who is shut down waits for no more than one.
        let turn = blocking(move || -> io::Result<_> {
            let mut block = vec![0; BLOCK];
            for _ in 0..BLOCKS {
                let count = file.read(&mut block)?;
                hasher.update(&block[..count]);
                size += count as u64;
                if count == 0 {
                    return Ok((file, hasher, size, true));
                }
            }
            Ok((file, hasher, size, false))
        });
        let over;
        (file, hasher, size, over) = turn.await?;
        if over {
            return Ok(Stored { digest: hasher.finish(), size });
        }
    }
}

/// The bytes of a local file's range, in chunks, as [`BlobStore::put_stream`] takes them. A file that
/// ends early is an error.
pub fn file_chunks(file: File, range: Range<u64>) -> BlobStream {
    let chunks = futures::stream::try_unfold((file, range), |(mut file, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        blocking(move || {
            let length = (range.end - range.start).min(MAX_CHUNK as u64);
            let mut chunk = vec![0; length as usize];
            file.seek(SeekFrom::Start(range.start))?;
            file.read_exact(&mut chunk)?;
            Ok(Some((Bytes::from(chunk), (file, range.start + length..range.end))))
        })
        .await
        .map_err(|error: io::Error| BlobError::io(&error))
    });
    chunks.boxed()
}

/// The chunks of a stream, none too large, that add up to `size` bytes.
fn exactly(
    key: BlobKey,
    size: u64,
    stream: impl Stream<Item = object_store::Result<Bytes>> + Send + 'static,
) -> BlobStream {
    let broken =
        |what: &str| BlobError::Unavailable(format!("the blob store gave {what} bytes than asked for"));
    let state = (stream.boxed(), Bytes::new(), size, key);
    let chunks = futures::stream::try_unfold(state, move |(mut stream, mut rest, left, key)| async move {
        while rest.is_empty() {
            match stream.try_next().await.map_err(|error| BlobError::store(&key, error))? {
                Some(chunk) if chunk.len() as u64 > left => return Err(broken("more")),
                Some(chunk) => rest = chunk,
                None if left > 0 => return Err(broken("fewer")),
                None => return Ok(None),
            }
        }
        let chunk = rest.split_to(rest.len().min(MAX_CHUNK));
        let left = left - chunk.len() as u64;
        Ok(Some((chunk, (stream, rest, left, key))))
    });
    chunks.boxed()
}
