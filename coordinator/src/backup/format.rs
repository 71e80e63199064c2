//! The file of a backup: a magic word and a version, then items (`umbra.store.v1.BackupItem`), each after its
//! length. The last one holds how many entries there are and the SHA-256 of all before it, so that a file cut short
//! anywhere, or changed anywhere, is no backup.

use std::io::{ErrorKind, Read};

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use umbra_core::digest::{Digest, StreamHasher};
use umbra_proto::CHUNK;
use umbra_proto::store::v1::backup_item::Item;
use umbra_proto::store::v1::{BackupEntry, BackupHead, BackupItem, BackupTrailer};

use crate::store::{Key, MAX_VALUE_BYTES};

const MAGIC: &[u8; 12] = b"umbra-backup";

/// The version this release writes and reads.
const VERSION: u32 = 1;

/// The most bytes of one item: a key, a value and what tells them apart.
const MAX_ITEM: usize = MAX_VALUE_BYTES + Key::MAX_BYTES + 64;

/// Writes a backup as chunks of a stream.
pub(super) struct Writer {
    chunks: Vec<Bytes>,
    open: BytesMut,
    hasher: StreamHasher,
    entries: u64,
}

impl Writer {
    /// Begins a backup.
    pub(super) fn new(head: BackupHead) -> Self {
        let open = BytesMut::with_capacity(CHUNK);
        let mut writer = Self { chunks: Vec::new(), open, hasher: StreamHasher::default(), entries: 0 };
        writer.put(MAGIC);
        writer.put(&VERSION.to_le_bytes());
        writer.item(Item::Head(head));
        writer
    }

    /// Adds an entry; they come in the order of their keys.
    pub(super) fn entry(&mut self, key: &Key, value: Bytes) {
        self.entries += 1;
        self.item(Item::Entry(BackupEntry { key: key.as_str().to_owned(), value }));
    }

    /// The bytes so far.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK + self.open.len()
    }

    /// Ends the backup.
    pub(super) fn finish(mut self) -> Vec<Bytes> {
        let sha256 = self.hasher.clone().finish().as_bytes().to_vec();
        self.item(Item::Trailer(BackupTrailer { entries: self.entries, sha256 }));
        self.chunks.push(self.open.freeze());
        self.chunks
    }

    fn item(&mut self, item: Item) {
        let bytes = BackupItem { item: Some(item) }.encode_length_delimited_to_vec();
        self.put(&bytes);
    }

    fn put(&mut self, mut bytes: &[u8]) {
        self.hasher.update(bytes);
        while self.open.len() + bytes.len() > CHUNK {
            let (now, later) = bytes.split_at(CHUNK - self.open.len());
            self.open.put_slice(now);
            let full = std::mem::replace(&mut self.open, BytesMut::with_capacity(CHUNK));
            self.chunks.push(full.freeze());
            bytes = later;
        }
        self.open.put_slice(bytes);
    }
}

/// Bytes that are no whole backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Some other file.
    #[error("this is not a backup of Umbra: name a file that `umbra cluster backup` wrote")]
    NotABackup,
    /// Written by a newer release.
    #[error("the backup has version {found} and this release reads {VERSION}: use a newer release")]
    Newer {
        /// The version of the file.
        found: u32,
    },
    /// It ends before its trailer.
    #[error("the backup is cut short: use another copy")]
    Truncated,
    /// It is not what was written.
    #[error("the backup is damaged ({0}): use another copy")]
    Damaged(String),
    /// It cannot be read.
    #[error("the backup cannot be read: {0}")]
    Io(std::io::Error),
}

/// Reads a backup item by item. Only once [`next_entry`](Self::next_entry) has said that there are no more is it known that what it
/// gave was what was written.
pub struct Reader<R> {
    from: R,
    hasher: StreamHasher,
    head: BackupHead,
    entries: u64,
    last: Option<Key>,
    is_over: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the beginning.
    ///
    /// # Errors
    /// [`BackupError`] if it is not one of a backup.
    pub fn open(from: R) -> Result<Self, BackupError> {
        let (hasher, head) = (StreamHasher::default(), BackupHead::default());
        let mut reader = Self { from, hasher, head, entries: 0, last: None, is_over: false };
        let mut begin = [0; MAGIC.len()];
        reader.fill(&mut begin)?;
        if begin != *MAGIC {
            return Err(BackupError::NotABackup);
        }
        let mut version = [0; 4];
        reader.fill(&mut version)?;
        match u32::from_le_bytes(version) {
            VERSION => {}
            found if found > VERSION => return Err(BackupError::Newer { found }),
            _ => return Err(damaged("it has no version")),
        }
        match reader.item()?.0 {
            Item::Head(head) => reader.head = head,
            _ => return Err(damaged("it has no head")),
        }
        Ok(reader)
    }

    /// Where the backup comes from.
    pub fn head(&self) -> &BackupHead {
        &self.head
    }

    /// The next entry; none once all of them were given and the trailer fits them.
    ///
    /// # Errors
    /// [`BackupError`] if the rest is damaged or cut short.
    pub fn next_entry(&mut self) -> Result<Option<(Key, Bytes)>, BackupError> {
        if self.is_over {
            return Ok(None);
        }
        let (item, before) = self.item()?;
        match item {
            Item::Head(_) => Err(damaged("it has two heads")),
            Item::Entry(BackupEntry { key, value }) => {
                let key = Key::try_new(key).map_err(damaged)?;
                if value.len() > MAX_VALUE_BYTES {
                    return Err(damaged(format!("the value of {key} is too large")));
                }
                if self.last.as_ref().is_some_and(|last| *last >= key) {
                    return Err(damaged(format!("{key} is out of order")));
                }
                self.last = Some(key.clone());
                self.entries += 1;
                Ok(Some((key, value)))
            }
            Item::Trailer(BackupTrailer { entries, sha256 }) => {
                if sha256 != before.as_bytes() {
                    return Err(damaged("its SHA-256 does not fit"));
                }
                if entries != self.entries {
                    return Err(damaged(format!("it has {} entries of {entries}", self.entries)));
                }
                if self.byte()?.is_some() {
                    return Err(damaged("there is more behind its end"));
                }
                self.is_over = true;
                Ok(None)
            }
        }
    }

    /// An item, and the digest of all before it.
    fn item(&mut self) -> Result<(Item, Digest), BackupError> {
        let before = self.hasher.clone().finish();
        let mut length = 0_usize;
        let mut shift = 0;
        loop {
            let byte = self.byte()?.ok_or(BackupError::Truncated)?;
            self.hasher.update(&[byte]);
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
            // Four bytes hold more than an item may have.
            if shift > 21 {
                return Err(damaged("an item is too long"));
            }
        }
        if length > MAX_ITEM {
            return Err(damaged("an item is too long"));
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        let item = BackupItem::decode(Bytes::from(bytes)).map_err(damaged)?.item;
        Ok((item.ok_or_else(|| damaged("an item says nothing"))?, before))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => BackupError::Truncated,
            _ => BackupError::Io(error),
        })?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// The next byte, not yet part of the digest; none at the end.
    fn byte(&mut self) -> Result<Option<u8>, BackupError> {
        let mut byte = [0];
        match self.from.read_exact(&mut byte) {
            Ok(()) => Ok(Some(byte[0])),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(BackupError::Io(error)),
        }
    }
}

fn damaged(what: impl std::fmt::Display) -> BackupError {
    BackupError::Damaged(what.to_string())
}
