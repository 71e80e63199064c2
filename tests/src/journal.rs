//! What the processes of a test said, in the order in which it was heard.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Far beyond what any event takes, so that a hang fails the test instead of stopping it.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many lines a failure shows.
const SHOWN: usize = 60;

/// The common memory of a test's processes. Clones share it.
#[derive(Clone, Default)]
pub struct Journal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    entries: Mutex<Vec<Arc<Entry>>>,
    news: Condvar,
}

/// A point in a journal: everything heard before it is past.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(usize);

/// Where a process writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: results.
    Out,
    /// Standard error: logs and notes.
    Err,
}

/// One line, or the end of a stream of lines.
#[derive(Debug)]
pub struct Entry {
    /// The process that said it.
    pub source: String,
    /// Where it said it.
    pub stream: Stream,
    /// The line; none at the end of the stream.
    pub line: Option<String>,
    /// The point right after it.
    pub after: Place,
    json: Value,
}

impl Entry {
    /// The event's message, or nothing if the line is no event.
    pub fn message(&self) -> &str {
        self.json["message"].as_str().unwrap_or_default()
    }

    /// Whether `source` logged an event with this message.
    pub fn is(&self, source: &str, message: &str) -> bool {
        self.source == source && self.message() == message
    }

    /// A field of the event, or else of the innermost span that has it.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let spans = self.json["spans"].as_array().into_iter().flatten().rev();
        std::iter::once(&self.json).chain(spans).find_map(|fields| fields.get(name))
    }

    /// A field that is a number.
    ///
    /// # Panics
    /// If there is none.
    pub fn number(&self, name: &str) -> u64 {
        let number = self.field(name).and_then(Value::as_u64);
        number.unwrap_or_else(|| panic!("no number \"{name}\" in: {self}"))
    }

    /// A field that is text.
    ///
    /// # Panics
    /// If there is none.
    pub fn text(&self, name: &str) -> &str {
        let text = self.field(name).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no text \"{name}\" in: {self}"))
    }

    /// The line as JSON; null if it is none.
    pub fn json(&self) -> &Value {
        &self.json
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.line.as_deref().unwrap_or("(end of stream)"))
    }
}

impl Journal {
    /// The point up to which everything is past.
    pub fn now(&self) -> Place {
        Place(self.entries().len())
    }

    /// Everything heard so far.
    pub fn past(&self) -> Vec<Arc<Entry>> {
        self.entries().clone()
    }

    /// The first entry from a point on that is accepted; waits for it.
    ///
    /// # Panics
    /// If it does not come in time.
    pub fn wait(&self, from: Place, what: &str, mut accept: impl FnMut(&Entry) -> bool) -> Arc<Entry> {
        self.wait_for(from, what, |entry| accept(entry).then(|| entry.clone()))
    }

    /// What the first entry from a point on gives that gives anything; waits for it.
    ///
    /// # Panics
    /// If it does not come in time.
    pub fn wait_for<T>(&self, from: Place, what: &str, mut find: impl FnMut(&Arc<Entry>) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut next = from.0;
        let mut entries = self.entries();
        loop {
            while let Some(entry) = entries.get(next).cloned() {
                next += 1;
                if let Some(found) = find(&entry) {
                    return found;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let tail = show(&entries);
                drop(entries);
                panic!("waited {PATIENCE:?} in vain for: {what}\n{tail}");
            }
            entries = self.0.news.wait_timeout(entries, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks again whenever there is news, and a few times a second, until the answer is yes: for what no
    /// event tells, such as a gauge.
    ///
    /// # Panics
    /// If it does not become true in time.
    pub fn until(&self, what: &str, mut ask: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !ask() {
            let entries = self.entries();
            if Instant::now() > deadline {
                let tail = show(&entries);
                drop(entries);
                panic!("waited {PATIENCE:?} in vain for: {what}\n{tail}");
            }
            drop(self.0.news.wait_timeout(entries, Duration::from_millis(100)));
        }
    }

    /// The last lines of everybody.
    pub fn tail(&self) -> String {
        show(&self.entries())
    }

    pub(crate) fn hear(&self, source: &str, stream: Stream, line: Option<String>) {
        let json = line.as_deref().and_then(|line| serde_json::from_str(line).ok());
        let mut entries = self.entries();
        let after = Place(entries.len() + 1);
        let json = json.unwrap_or(Value::Null);
        entries.push(Arc::new(Entry { source: source.to_owned(), stream, line, after, json }));
        drop(entries);
        self.0.news.notify_all();
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Arc<Entry>>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn show(entries: &[Arc<Entry>]) -> String {
    let tail = &entries[entries.len().saturating_sub(SHOWN)..];
    let lines = tail.iter().map(|entry| entry.to_string().chars().take(400).collect::<String>());
    format!("the last lines were:\n{}", lines.collect::<Vec<_>>().join("\n"))
}
