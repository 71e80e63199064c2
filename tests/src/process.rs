//! One process: started, heard, signalled, and gone when the test is over.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use crate::journal::{Journal, Stream};
use crate::signal::Signal;

/// A running process; it is killed and waited for when dropped.
pub struct Process {
    name: String,
    child: Child,
    journal: Journal,
    readers: Vec<JoinHandle<()>>,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts a command; what it writes goes into the journal under `name`, which must be new there.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(name: &str, mut command: Command, journal: &Journal) -> Self {
        let known = journal.past().iter().any(|entry| entry.source == name);
        assert!(!known, "two processes of one journal are called {name}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let out = child.stdout.take().expect("stdout is piped");
        let err = child.stderr.take().expect("stderr is piped");
        let readers = vec![listen(name, Stream::Out, out, journal), listen(name, Stream::Err, err, journal)];
        Self { name: name.to_owned(), child, journal: journal.clone(), readers, ended: None }
    }

    /// The most memory it ever had resident, in bytes, as the system tells while it runs.
    ///
    /// # Panics
    /// If the system does not tell.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("a process that runs has a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it tells its peak");
        let kib = line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number of KiB");
        kib << 10
    }

    /// Its name in the journal.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it has ended already: then the test was too late.
    pub fn signal(&mut self, signal: Signal) {
        let over = self.child.try_wait().expect("a child can be asked");
        assert!(over.is_none(), "{} ended ({}) before {signal:?}", self.name, over.unwrap_or_default());
        signal.send(&self.child);
    }

    /// Waits until it has ended and everything it wrote is in the journal.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn wait(&mut self) -> ExitStatus {
        if let Some(ended) = self.ended {
            return ended;
        }
        let mut streams = self.readers.len();
        let what = format!("the end of {}", self.name);
        self.journal.wait_for(Default::default(), &what, |entry| {
            streams -= usize::from(entry.source == self.name && entry.line.is_none());
            (streams == 0).then_some(())
        });
        self.reap()
    }

    /// Its exit code once it has ended; none if a signal ended it.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.wait().code()
    }

    /// Kills it and waits for its end.
    ///
    /// # Panics
    /// If it has ended already: then the test was too late.
    pub fn kill(&mut self) {
        self.signal(Signal::Kill);
        let status = self.wait();
        assert_eq!(status.code(), None, "{} ended by itself ({status}) before it was killed", self.name);
    }

    /// Everything it wrote to one stream so far.
    pub fn written(&self, stream: Stream) -> String {
        let past = self.journal.past();
        let own = past.iter().filter(|entry| entry.source == self.name && entry.stream == stream);
        own.filter_map(|entry| entry.line.as_ref()).map(|line| format!("{line}\n")).collect()
    }

    fn reap(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("a child can be waited for");
        self.ended = Some(status);
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // One that has just ended cannot be killed, and need not be.
            let _ = self.child.kill();
            self.reap();
        }
    }
}

fn listen(name: &str, stream: Stream, from: impl Read + Send + 'static, journal: &Journal) -> JoinHandle<()> {
    let (name, journal) = (name.to_owned(), journal.clone());
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from);
        let mut bytes = Vec::new();
        while matches!(lines.read_until(b'\n', &mut bytes), Ok(1..)) {
            let line = String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
            bytes.clear();
            journal.hear(&name, stream, Some(line));
        }
        journal.hear(&name, stream, None);
    })
}
