//! Transactions: one of etcd's for each.
//!
//! It is conditional on the revision that last wrote the leader's key, and writes that key again. So it fails
//! once the key is gone, that is once the term is over; and the transactions of a term are a chain, each
//! conditional on the one before. A transaction whose answer was lost is settled by the next link: either that
//! finds the number of the lost one in the key, or it takes the lost one's place and that will never happen,
//! wherever it still lies. This costs one comparison and one write, which is why [`MAX_OPS`] is one less than
//! etcd's limit, and makes transactions of a term wait for each other.
//!
//! [`MAX_OPS`]: super::super::MAX_OPS

use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, GetOptions, KeyValue, PutOptions, Txn as EtcdTxn, TxnOp, TxnOpResponse,
    TxnResponse,
};
use tokio::time::Instant;

use super::super::{CommitError, Expect, Expectation, Op, Txn, Version};
use super::EtcdStore;
use super::calls::{PATIENCE, values};
use super::failure::Failure;
use super::layout::Mark;
use super::term::{Log, Term};

/// How long it may take to find out about a transaction whose answer was lost, beyond the time for trying.
const SETTLING: Duration = Duration::from_secs(3);

/// The wait before an endpoint is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// What became of a transaction whose answer was lost.
enum Settled {
    /// It happened, as this revision.
    Happened(i64),
    /// It did not, and never will.
    Never,
    /// The term is over.
    Over,
}

impl EtcdStore {
    pub(super) async fn perform(&self, term: &Term, txn: &Txn) -> Result<Version, CommitError> {
        let deposed = CommitError::Deposed { epoch: txn.epoch };
        let deadline = Instant::now() + PATIENCE;
        let mut log = term.log.lock().await;
        // One of before whose future was dropped, or whose caller was told that nobody knows.
        if log.open.is_some() {
            match self.settle(term, &mut log, deadline + SETTLING).await {
                Ok(Settled::Over) => return Err(deposed),
                Ok(Settled::Happened(_) | Settled::Never) => {}
                Err(failure) => return Err(CommitError::Unavailable(self.calls.words(&failure))),
            }
        }
        loop {
            if term.over().is_cancelled() {
                return Err(deposed);
            }
            log.number += 1;
            let request = self.request(term, &log, txn);
            log.open = Some(log.number);
            // An attempt has its whole time: one that is cut short may have happened.
            let full = Instant::now() + PATIENCE;
            let answer = self.calls.ask_once(full, |client| send(client, request.clone())).await;
            let failure = match answer {
                Ok(response) => {
                    log.open = None;
                    match self.verdict(term, &mut log, txn, &response).await? {
                        Some(version) => return Ok(version),
                        None => continue,
                    }
                }
                Err(Failure::Away { reason, sent: true }) => {
                    match self.settle(term, &mut log, deadline + SETTLING).await {
                        Ok(Settled::Happened(revision)) => return Ok(Version(revision.unsigned_abs())),
                        Ok(Settled::Never) => Failure::Away { reason, sent: false },
                        Ok(Settled::Over) => {
                            let reason = format!("its term ended meanwhile, after: {reason}");
                            return Err(CommitError::Ambiguous(reason));
                        }
                        Err(failure) => return Err(CommitError::Ambiguous(self.calls.words(&failure))),
                    }
                }
                Err(failure) => {
                    log.open = None;
                    failure
                }
            };
            match failure {
                Failure::NoLease => return Err(deposed),
                Failure::Away { .. } if Instant::now() < deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                failure => return Err(CommitError::Unavailable(self.calls.words(&failure))),
            }
        }
    }

    /// etcd's transaction: the next link of the chain with what must hold and what changes.
    fn request(&self, term: &Term, log: &Log, txn: &Txn) -> EtcdTxn {
        let mut when = vec![is_last(term, log)];
        when.extend(txn.expect.iter().map(|expectation| self.compare(expectation)));
        let mut then = vec![link(term, log.number)];
        then.extend(txn.ops.iter().map(|op| match op {
            Op::Put { key, value } => TxnOp::put(self.layout.value(key), value.as_ref(), None),
            Op::Delete { key } => TxnOp::delete(self.layout.value(key), None),
        }));
        // What tells why it failed.
        let mut or_else = vec![TxnOp::get(term.place.as_str(), None)];
        or_else.extend(txn.expect.iter().map(|expectation| {
            let options = GetOptions::new().with_keys_only();
            TxnOp::get(self.layout.value(&expectation.key), Some(options))
        }));
        EtcdTxn::new().when(when).and_then(then).or_else(or_else)
    }

    fn compare(&self, expectation: &Expectation) -> Compare {
        let place = self.layout.value(&expectation.key);
        match &expectation.expect {
            Expect::Absent => Compare::create_revision(place, CompareOp::Equal, 0),
            Expect::Present => Compare::create_revision(place, CompareOp::Greater, 0),
            Expect::Version(version) => Compare::mod_revision(place, CompareOp::Equal, revision_of(*version)),
            Expect::Equals(bytes) => Compare::value(place, CompareOp::Equal, bytes.as_ref()),
        }
    }

    /// What etcd's answer means. Nothing: the chain was behind, so try again.
    async fn verdict(
        &self,
        term: &Term,
        log: &mut Log,
        txn: &Txn,
        response: &TxnResponse,
    ) -> Result<Option<Version>, CommitError> {
        if response.succeeded() {
            log.revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
            return Ok(Some(Version(log.revision.unsigned_abs())));
        }
        let mut found = read(response).into_iter();
        let Some(own) = ours(term, found.next().flatten()) else {
            term.over().cancel();
            return Err(CommitError::Deposed { epoch: txn.epoch });
        };
        if own.mod_revision() != log.revision {
            // Somebody wrote the key by hand; it is still this term's.
            log.revision = own.mod_revision();
            return Ok(None);
        }
        for (expectation, stored) in txn.expect.iter().zip(found) {
            if !self.holds(expectation, stored.as_ref()).await? {
                return Err(CommitError::Conflict { key: expectation.key.clone() });
            }
        }
        Err(CommitError::Unavailable("etcd refused a transaction whose conditions hold".to_owned()))
    }

    /// Whether a value is as expected, as of a transaction that has failed. Only this term writes, and only
    /// one transaction at a time, so what is read again has not changed.
    async fn holds(&self, expectation: &Expectation, stored: Option<&KeyValue>) -> Result<bool, CommitError> {
        Ok(match (&expectation.expect, stored) {
            (Expect::Absent, None) | (Expect::Present, Some(_)) => true,
            (Expect::Version(version), Some(stored)) => stored.mod_revision() == revision_of(*version),
            (Expect::Equals(bytes), Some(_)) => {
                self.read(&expectation.key).await?.is_some_and(|value| value.bytes == *bytes)
            }
            _ => false,
        })
    }

    /// Finds out what became of the open transaction, by taking the place after it in the chain.
    async fn settle(&self, term: &Term, log: &mut Log, deadline: Instant) -> Result<Settled, Failure> {
        log.number += 1;
        let place = term.place.as_str();
        let take = EtcdTxn::new().when([is_last(term, log)]).and_then([link(term, log.number)]);
        let take = take.or_else([TxnOp::get(place, None)]);
        let response = self.calls.ask_until(deadline, |client| send(client, take.clone())).await?;
        if response.succeeded() {
            log.revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
            log.open = None;
            return Ok(Settled::Never);
        }
        let Some(own) = ours(term, read(&response).into_iter().next().flatten()) else {
            term.over().cancel();
            return Ok(Settled::Over);
        };
        let number = Mark::read(own.value()).ok().map(|mark| mark.number);
        let happened = number == log.open;
        // Else it was this very request, at an attempt whose answer was lost, too.
        log.revision = own.mod_revision();
        log.open = None;
        Ok(if happened { Settled::Happened(log.revision) } else { Settled::Never })
    }
}

/// No version is zero, but etcd takes a missing key's to be that.
fn revision_of(version: Version) -> i64 {
    i64::try_from(version.0).ok().filter(|revision| *revision > 0).unwrap_or(i64::MAX)
}

async fn send(client: Client, request: EtcdTxn) -> Result<TxnResponse, etcd_client::Error> {
    values(&client).txn(request).await
}

fn is_last(term: &Term, log: &Log) -> Compare {
    Compare::mod_revision(term.place.as_str(), CompareOp::Equal, log.revision)
}

fn link(term: &Term, number: u64) -> TxnOp {
    let options = PutOptions::new().with_lease(term.lease.id);
    TxnOp::put(term.place.as_str(), term.mark(number), Some(options))
}

/// The key of the term, if it is that still.
fn ours(term: &Term, stored: Option<KeyValue>) -> Option<KeyValue> {
    stored.filter(|stored| stored.create_revision().unsigned_abs() == term.epoch.0)
}

/// What each read of a failed transaction found.
fn read(response: &TxnResponse) -> Vec<Option<KeyValue>> {
    let responses = response.op_responses().into_iter();
    let found = responses.map(|response| match response {
        TxnOpResponse::Get(mut found) => found.take_kvs().pop(),
        _ => None,
    });
    found.collect()
}
