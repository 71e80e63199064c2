//! The signals that end a process: the first begins the drain, a second SIGINT ends the waiting.

use std::fmt;
use std::io;

use crate::drain::{Drain, Reason};

/// A signal that asks the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a supervisor, a rolling update, a machine about to go.
    Terminate,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Listens to SIGINT and SIGTERM from now on: the first begins `drain`, a SIGINT once it has begun
/// hurries it. Repeated SIGTERMs change nothing, since supervisors send several.
///
/// # Errors
/// If the system refuses the handlers.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn listen(drain: &Drain) -> io::Result<()> {
    let mut source = Source::new()?;
    let drain = drain.clone();
    let listener = async move {
        loop {
            let signal = source.next().await;
            if signal == Signal::Interrupt && drain.has_begun() {
                tracing::warn!("interrupted again, stop at once");
                drain.hurry();
            } else {
                tracing::info!(%signal, "begin to drain");
                drain.begin_because(Reason::Signal(signal));
            }
        }
    };
    // It listens for as long as the process lives, so no drain may wait for it.
    tokio::runtime::Handle::current().spawn(listener);
    Ok(())
}

#[cfg(unix)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Source {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
