//! Shutting down in order: one signal that everyone hears, and named tasks that are waited for.
//!
//! A daemon spawns its tasks through a [`Drain`]. The drain begins when someone asks, on a signal, or
//! when a task fails; every task then winds up on its own, and [`Drain::finished`] waits for them.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::signals::Signal;

/// A shutdown signal and the tasks that heed it. Clones share both.
#[derive(Clone, Default)]
pub struct Drain {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    begun: CancellationToken,
    hurried: CancellationToken,
    tracker: TaskTracker,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    reason: Option<Reason>,
    failures: Vec<Failure>,
    running: BTreeMap<u64, Running>,
    next: u64,
}

struct Running {
    name: String,
    abort: Option<AbortHandle>,
}

/// Why a drain began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The program asked for it: its work is done, or an operator asked through it.
    Asked,
    /// The process got a signal.
    Signal(Signal),
    /// A task failed or panicked.
    TaskFailed,
}

/// A task that returned an error or panicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The task's name.
    pub task: String,
    /// The error, or the panic's message.
    pub message: String,
}

/// How a drain ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Why it began.
    pub reason: Reason,
    /// The tasks that failed, in the order they did.
    pub failures: Vec<Failure>,
    /// The names of the tasks that had not ended within the grace time.
    pub overdue: Vec<String>,
}

impl Outcome {
    /// Whether every task ended by itself, in time and without an error.
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty() && self.overdue.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = self.failures.first() {
            write!(f, "task {} failed: {}", first.task, first.message)?;
            if self.failures.len() > 1 {
                write!(f, " (and {} more)", self.failures.len() - 1)?;
            }
        } else if self.overdue.is_empty() {
            f.write_str("all tasks ended")?;
        }
        if !self.overdue.is_empty() {
            let sep = if self.failures.is_empty() { "" } else { "; " };
            write!(f, "{sep}tasks that did not end in time: {}", self.overdue.join(", "))?;
        }
        Ok(())
    }
}

/// What a named task may return: nothing, or a result whose error fails the task.
pub trait TaskResult: Send + 'static {
    /// The message of the failure, if it is one.
    fn into_failure(self) -> Option<String>;
}

impl TaskResult for () {
    fn into_failure(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display + Send + 'static> TaskResult for Result<(), E> {
    fn into_failure(self) -> Option<String> {
        // The alternate form is the whole chain of causes for error types that have one.
        self.err().map(|error| format!("{error:#}"))
    }
}

impl Drain {
    /// A drain that has not begun, without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the drain. Later calls change nothing.
    pub fn begin(&self) {
        self.begin_because(Reason::Asked);
    }

    /// Begins the drain for a reason; only the first reason counts.
    pub fn begin_because(&self, reason: Reason) {
        self.book().reason.get_or_insert(reason);
        self.inner.begun.cancel();
    }

    /// Begins the drain and ends the waiting: [`Self::finished`] aborts what still runs.
    pub fn hurry(&self) {
        self.begin();
        self.inner.hurried.cancel();
    }

    /// Whether the drain has begun.
    pub fn has_begun(&self) -> bool {
        self.inner.begun.is_cancelled()
    }

    /// Waits until the drain begins.
    pub async fn begun(&self) {
        self.inner.begun.cancelled().await;
    }

    /// A token that is cancelled when the drain begins. Cancelling it oneself has no effect here.
    pub fn token(&self) -> CancellationToken {
        self.inner.begun.child_token()
    }

    /// Runs a named task on the current runtime. If it returns an error or panics, that is logged and
    /// the drain begins.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn<T: TaskResult>(
        &self,
        name: impl Into<String>,
        future: impl Future<Output = T> + Send + 'static,
    ) {
        let name = name.into();
        let span = tracing::info_span!("task", name = %name);
        let entry = self.enter(name);
        let id = entry.id;
        let task = async move {
            entry.settle(AssertUnwindSafe(future).catch_unwind().await);
        };
        let abort = self.inner.tracker.spawn(task.instrument(span)).abort_handle();
        if let Some(running) = self.book().running.get_mut(&id) {
            running.abort = Some(abort);
        }
    }

    /// Runs a named blocking task on a thread of its own kind, with the same care as [`Self::spawn`].
    /// It cannot be aborted: it must look at [`Self::has_begun`] often enough.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn_blocking<T: TaskResult>(
        &self,
        name: impl Into<String>,
        work: impl FnOnce() -> T + Send + 'static,
    ) {
        let name = name.into();
        let span = tracing::info_span!("task", name = %name);
        let entry = self.enter(name);
        self.inner.tracker.spawn_blocking(move || {
            let _in_span = span.entered();
            entry.settle(std::panic::catch_unwind(AssertUnwindSafe(work)));
        });
    }

    /// Waits until the drain has begun and every task has ended, the latter for at most `grace`; then
    /// aborts what is left and says how it went.
    pub async fn finished(&self, grace: Duration) -> Outcome {
        self.begun().await;
        self.inner.tracker.close();
        tokio::select! {
            biased;
            () = self.inner.tracker.wait() => {}
            () = self.inner.hurried.cancelled() => {}
            () = tokio::time::sleep(grace) => {}
        }
        let mut book = self.book();
        let mut overdue = Vec::new();
        for running in book.running.values() {
            overdue.push(running.name.clone());
            if let Some(abort) = &running.abort {
                abort.abort();
            }
        }
        if !overdue.is_empty() {
            tracing::warn!(tasks = overdue.join(", "), "stop waiting for tasks");
        }
        Outcome {
            reason: book.reason.unwrap_or(Reason::Asked),
            failures: std::mem::take(&mut book.failures),
            overdue,
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing panics while it is held, and a book half-written would still be readable.
        self.inner.book.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn enter(&self, name: String) -> Entry {
        let mut book = self.book();
        let id = book.next;
        book.next += 1;
        book.running.insert(id, Running { name, abort: None });
        Entry { drain: self.clone(), id }
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("begun", &self.has_begun()).finish_non_exhaustive()
    }
}

/// A task's line in the book, struck out when the task is dropped, however it ends.
struct Entry {
    drain: Drain,
    id: u64,
}

impl Entry {
    fn settle<T: TaskResult>(self, ended: Result<T, Box<dyn Any + Send>>) {
        let message = match ended {
            Ok(result) => result.into_failure(),
            Err(panic) => Some(format!("panicked: {}", panic_message(panic.as_ref()))),
        };
        let Some(message) = message else { return };
        let task = {
            let mut book = self.drain.book();
            let task = book.running.get(&self.id).map(|running| running.name.clone()).unwrap_or_default();
            book.failures.push(Failure { task: task.clone(), message: message.clone() });
            task
        };
        tracing::error!(task, error = message, "task failed");
        self.drain.begin_because(Reason::TaskFailed);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.drain.book().running.remove(&self.id);
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn a_drain_waits_for_its_tasks() {
        let drain = Drain::new();
        let (tell, told) = tokio::sync::oneshot::channel();
        let inner = drain.clone();
        drain.spawn("worker", async move {
            inner.begun().await;
            tell.send(inner.has_begun()).unwrap();
        });
        drain.begin();
        let outcome = drain.finished(LONG).await;
        assert!(outcome.is_clean(), "{outcome}");
        assert_eq!(outcome.reason, Reason::Asked);
        assert!(told.await.unwrap());
    }

    #[tokio::test]
    async fn a_failed_task_begins_the_drain_and_is_named() {
        let drain = Drain::new();
        drain.spawn("ingest", async { Err::<(), _>("the disk is full") });
        let outcome = drain.finished(LONG).await;
        assert_eq!(outcome.reason, Reason::TaskFailed);
        assert_eq!(outcome.to_string(), "task ingest failed: the disk is full");
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_on_tasks_and_threads() {
        for blocking in [false, true] {
            let drain = Drain::new();
            if blocking {
                drain.spawn_blocking::<()>("slot", || panic!("slot {}", 3));
            } else {
                drain.spawn::<()>("slot", async { panic!("slot {}", 3) });
            }
            let outcome = drain.finished(LONG).await;
            assert_eq!(
                outcome.failures,
                [Failure { task: "slot".into(), message: "panicked: slot 3".into() }]
            );
        }
    }

    #[tokio::test]
    async fn tasks_past_the_grace_time_are_named_and_aborted() {
        let drain = Drain::new();
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        drain.spawn("stuck", async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        let (tell, told) = tokio::sync::oneshot::channel();
        drain.spawn("quick", async { tell.send(()).unwrap() });
        told.await.unwrap();
        drain.begin();
        let outcome = drain.finished(Duration::from_millis(1)).await;
        assert_eq!(outcome.overdue, ["stuck"]);
        assert!(!outcome.is_clean());
        assert!(dropped.await.is_err(), "an aborted task drops what it holds");
    }

    #[tokio::test]
    async fn hurrying_ends_the_waiting() {
        let drain = Drain::new();
        drain.spawn("stuck", std::future::pending::<()>());
        drain.hurry();
        assert_eq!(drain.finished(LONG).await.overdue, ["stuck"]);
    }
}
