//! A meta store for several coordinators, as etcd is one: a lease, epochs, transactions; cut off where the history
//! says so, and with answers that get lost. Every transaction that happens is shown to the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use umbra_coordinator::store::{
    CheckedTxn, CommitError, Entry, Epoch, Expect, Key, Leader, MAX_PAGE, MAX_PAGE_BYTES, MetaStore, Op,
    Page, Prefix, StoreError, Txn, Value, Version,
};
use umbra_core::seed::Stream;

use crate::rules::Rules;

/// How long a lease lasts.
const TTL: Duration = Duration::from_secs(2);

/// How long a coordinator that is cut off waits for an answer.
const SILENCE: Duration = Duration::from_secs(1);

/// What all coordinators share.
#[derive(Clone)]
pub struct Engine(Arc<Mutex<State>>);

pub struct State {
    revision: u64,
    values: BTreeMap<String, Value>,
    leader: Option<(Leader, Duration)>,
    chance: Stream,
    /// Hosts that cannot reach it.
    pub cut: BTreeSet<String>,
    /// Of a thousand transactions, those whose answer is lost.
    pub lost_answers: u64,
    pub rules: Rules,
    /// How often the lead changed.
    pub terms: u64,
}

fn now() -> Duration {
    turmoil::sim_elapsed().expect("this is a simulation")
}

impl Engine {
    pub fn new(chance: Stream) -> Self {
        Self(Arc::new(Mutex::new(State {
            revision: 0,
            values: BTreeMap::new(),
            leader: None,
            chance,
            cut: BTreeSet::new(),
            lost_answers: 0,
            rules: Rules::default(),
            terms: 0,
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it is held")
    }

    /// The way of one coordinator's process to it.
    pub fn client(&self, host: &str) -> Client {
        Client { engine: self.clone(), host: host.to_owned(), mine: Mutex::default() }
    }
}

pub struct Client {
    engine: Engine,
    host: String,
    mine: Mutex<Option<(Epoch, CancellationToken)>>,
}

impl Client {
    /// A way there and back, of which the history decides how long it takes.
    async fn travel(&self) -> Result<(), StoreError> {
        let (cut, wait) = {
            let mut state = self.engine.state();
            (state.cut.contains(&self.host), 1 + state.chance.below(20))
        };
        if cut {
            tokio::time::sleep(SILENCE).await;
            return Err(StoreError::Unavailable("no answer in time".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
        Ok(())
    }

    fn drop_term(&self) {
        if let Some((epoch, over)) = self.mine.lock().expect("unpoisoned").take() {
            over.cancel();
            let mut state = self.engine.state();
            if state.leader.as_ref().is_some_and(|(leader, _)| leader.epoch == epoch) {
                state.leader = None;
            }
        }
    }

    fn bid(&self, name: &str) -> Option<Epoch> {
        let mut state = self.engine.state();
        if state.leader.as_ref().is_some_and(|(_, until)| *until > now()) {
            return None;
        }
        state.revision += 1;
        state.terms += 1;
        let epoch = Epoch(state.revision);
        state.leader = Some((Leader { name: name.to_owned(), epoch }, now() + TTL));
        Some(epoch)
    }

    /// Keeps the lease alive until it cannot; the task ends with its host.
    #[allow(clippy::disallowed_methods, reason = "a crash of its host ends it, and nothing waits for it")]
    fn keep(&self, epoch: Epoch) {
        let over = CancellationToken::new();
        *self.mine.lock().expect("unpoisoned") = Some((epoch, over.clone()));
        let (engine, host) = (self.engine.clone(), self.host.clone());
        tokio::spawn(async move {
            let mut heard = now();
            while !over.is_cancelled() && heard + TTL > now() {
                tokio::time::sleep(TTL / 4).await;
                let mut state = engine.state();
                if state.cut.contains(&host) {
                    continue;
                }
                match &mut state.leader {
                    Some((leader, until)) if leader.epoch == epoch && *until > now() => *until = now() + TTL,
                    _ => break,
                }
                heard = now();
            }
            over.cancel();
        });
    }

    fn perform(&self, txn: Txn) -> Result<Version, CommitError> {
        let state = &mut *self.engine.state();
        let leads =
            state.leader.as_ref().is_some_and(|(leader, until)| leader.epoch == txn.epoch && *until > now());
        if !leads {
            return Err(CommitError::Deposed { epoch: txn.epoch });
        }
        for expectation in &txn.expect {
            let value = state.values.get(expectation.key.as_str());
            let holds = match &expectation.expect {
                Expect::Absent => value.is_none(),
                Expect::Present => value.is_some(),
                Expect::Version(version) => value.is_some_and(|value| value.version == *version),
                Expect::Equals(bytes) => value.is_some_and(|value| value.bytes == *bytes),
            };
            if !holds {
                return Err(CommitError::Conflict { key: expectation.key.clone() });
            }
        }
        state.revision += 1;
        let version = Version(state.revision);
        state.rules.see(&txn);
        for op in txn.ops {
            match op {
                Op::Put { key, value } => {
                    state.values.insert(key.as_str().to_owned(), Value { bytes: value, version });
                }
                Op::Delete { key } => {
                    state.values.remove(key.as_str());
                }
            }
        }
        Ok(version)
    }
}

impl Drop for Client {
    /// A process that is gone keeps nothing alive, but its lease runs on.
    fn drop(&mut self) {
        if let Some((_, over)) = self.mine.lock().expect("unpoisoned").take() {
            over.cancel();
        }
    }
}

impl MetaStore for Client {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        Box::pin(async move {
            self.travel().await?;
            Ok(self.engine.state().values.get(key.as_str()).cloned())
        })
    }

    fn range<'a>(
        &'a self,
        prefix: &'a Prefix,
        after: Option<&'a Key>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            self.travel().await?;
            let state = self.engine.state();
            let from = after.map_or(prefix.as_str(), Key::as_str).max(prefix.as_str()).to_owned();
            let found = state
                .values
                .range(from..)
                .filter(|(key, _)| after.is_none_or(|after| *key != after.as_str()));
            let mut found = found.take_while(|(key, _)| prefix.holds(key)).peekable();
            let (mut page, mut bytes) = (Page::default(), 0);
            while let Some((key, value)) = found.peek() {
                let full = page.entries.len() >= limit.clamp(1, MAX_PAGE);
                if !page.entries.is_empty() && (full || bytes + value.bytes.len() > MAX_PAGE_BYTES) {
                    page.next = page.entries.last().map(|entry| entry.key.clone());
                    break;
                }
                bytes += value.bytes.len();
                let key = Key::try_new((*key).clone()).expect("it was a key before");
                page.entries.push(Entry { key, value: (*value).clone() });
                found.next();
            }
            Ok(page)
        })
    }

    fn lead<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Epoch, StoreError>> {
        Box::pin(async move {
            self.drop_term();
            loop {
                self.travel().await?;
                if let Some(epoch) = self.bid(name) {
                    self.keep(epoch);
                    return Ok(epoch);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
    }

    fn leader(&self) -> BoxFuture<'_, Result<Option<Leader>, StoreError>> {
        Box::pin(async move {
            self.travel().await?;
            let state = self.engine.state();
            let leader = state.leader.as_ref().filter(|(_, until)| *until > now());
            Ok(leader.map(|(leader, _)| leader.clone()))
        })
    }

    fn lost(&self, epoch: Epoch) -> BoxFuture<'_, ()> {
        let mine = self.mine.lock().expect("unpoisoned").clone();
        Box::pin(async move {
            if let Some((_, over)) = mine.filter(|(mine, _)| *mine == epoch) {
                over.cancelled().await;
            }
        })
    }

    fn resign(&self) -> BoxFuture<'_, ()> {
        self.drop_term();
        Box::pin(std::future::ready(()))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn apply(&self, txn: CheckedTxn) -> BoxFuture<'_, Result<Version, CommitError>> {
        Box::pin(async move {
            self.travel().await?;
            let lost = {
                let mut state = self.engine.state();
                let most = state.lost_answers;
                (state.chance.below(1000) < most).then(|| state.chance.below(2) == 0)
            };
            match lost {
                None => self.perform(txn.into_inner()),
                Some(happens) => {
                    if happens {
                        let _ = self.perform(txn.into_inner());
                    }
                    tokio::time::sleep(SILENCE).await;
                    Err(CommitError::Ambiguous("the answer is lost".to_owned()))
                }
            }
        })
    }
}
