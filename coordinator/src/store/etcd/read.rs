//! Reading: values and pages.

use bytes::Bytes;
use etcd_client::{GetOptions, GetResponse, KeyValue};

use super::super::{Entry, Key, MAX_PAGE, MAX_PAGE_BYTES, Page, Prefix, StoreError, Value, Version};
use super::EtcdStore;
use super::calls::{MAX_ANSWER, values};
use super::failure::Failure;

/// How many entries are asked for first: as many as are taken, were each as large as a value may be.
const FIRST: usize = 16;

/// Each next call asks for so many times more, since etcd cannot be asked for a number of bytes.
const GROWTH: usize = 4;

/// The most entries that are asked for at once: what etcd may have to gather in vain.
const MOST: usize = 256;

/// How often a page is begun again because etcd forgot its moment.
const BEGINNINGS: usize = 3;

const _: () = assert!(FIRST * (super::super::MAX_VALUE_BYTES + (64 << 10)) <= MAX_ANSWER);

impl EtcdStore {
    pub(super) async fn read(&self, key: &Key) -> Result<Option<Value>, StoreError> {
        let place = self.layout.value(key);
        let asked = self.calls.ask(|client| {
            let place = place.clone();
            async move { values(&client).get(place, None).await }
        });
        let mut found = asked.await.map_err(|failure| self.calls.unusable(failure))?;
        Ok(found.take_kvs().pop().map(value))
    }

    pub(super) async fn page(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let mut failure = Failure::Compacted;
        for _ in 0..BEGINNINGS {
            match self.page_of_one_moment(prefix, after, limit).await {
                Ok(page) => return page,
                Err(Failure::Compacted) => {}
                Err(other) => {
                    failure = other;
                    break;
                }
            }
        }
        Err(self.calls.unusable(failure))
    }

    /// All calls for a page ask for the revision that the first one found.
    async fn page_of_one_moment(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Result<Page, StoreError>, Failure> {
        let (mut first, end) = self.layout.range(prefix, after);
        let (mut revision, mut count) = (0, FIRST);
        let mut page = Page::default();
        let mut page_bytes = 0;
        loop {
            // One more than is wanted tells whether there is a next page.
            let wanted = count.min(limit - page.entries.len() + 1);
            let mut found = match self.entries(&first, &end, wanted, revision).await {
                Err(Failure::TooLong) if count > FIRST => {
                    count = FIRST;
                    continue;
                }
                found => found?,
            };
            if revision == 0 {
                revision = found.header().map_or(0, etcd_client::ResponseHeader::revision);
            }
            let more = found.more() && !found.kvs().is_empty();
            for stored in found.take_kvs() {
                page_bytes += stored.value().len();
                if page.entries.len() == limit || (page_bytes > MAX_PAGE_BYTES && !page.entries.is_empty()) {
                    page.next = page.entries.last().map(|entry| entry.key.clone());
                    return Ok(Ok(page));
                }
                first = [stored.key(), &[0]].concat();
                match self.layout.key(stored.key()) {
                    Ok(key) => page.entries.push(Entry { key, value: value(stored) }),
                    Err(error) => return Ok(Err(error)),
                }
            }
            if !more {
                return Ok(Ok(page));
            }
            count = (count * GROWTH).min(MOST);
        }
    }

    async fn entries(
        &self,
        first: &[u8],
        end: &[u8],
        limit: usize,
        revision: i64,
    ) -> Result<GetResponse, Failure> {
        self.calls
            .ask(|client| {
                let options = GetOptions::new().with_range(end).with_limit(limit as i64);
                let options = options.with_revision(revision);
                let first = first.to_vec();
                async move { values(&client).get(first, Some(options)).await }
            })
            .await
    }
}

fn value(stored: KeyValue) -> Value {
    let version = Version(stored.mod_revision().unsigned_abs());
    let (_, bytes) = stored.into_key_value();
    Value { bytes: Bytes::from(bytes), version }
}
