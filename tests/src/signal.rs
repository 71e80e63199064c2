//! Signals to processes that a test started.
#![allow(unsafe_code)]

use std::process::Child;

/// A signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGKILL: gone at once, without a word.
    Kill,
    /// SIGTERM: asked to end.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGSTOP: frozen.
    Stop,
    /// SIGCONT: thawed.
    Continue,
}

impl Signal {
    /// Sends it to a child that was not waited for yet.
    ///
    /// # Panics
    /// If the system refuses.
    pub(crate) fn send(self, child: &Child) {
        let number = match self {
            Self::Kill => libc::SIGKILL,
            Self::Terminate => libc::SIGTERM,
            Self::Interrupt => libc::SIGINT,
            Self::Stop => libc::SIGSTOP,
            Self::Continue => libc::SIGCONT,
        };
        let pid = libc::pid_t::try_from(child.id()).expect("pids fit pid_t");
        assert!(pid > 1, "never a group, never init");
        // SAFETY: `kill` takes two numbers and touches no memory of this process. The pid is that of a
        // child nobody waited for, so the system has not given it to anybody else.
        let refused = unsafe { libc::kill(pid, number) };
        assert_eq!(refused, 0, "{self:?} to {pid}: {}", std::io::Error::last_os_error());
    }
}
