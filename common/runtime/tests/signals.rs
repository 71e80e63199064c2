//! Signals of a real process: alone in its binary, since handlers belong to the process.
#![cfg(unix)]

use std::process::Command;
use std::time::Duration;

use umbra_runtime::drain::{Drain, Reason};
use umbra_runtime::signals::{self, Signal};

fn send(signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &std::process::id().to_string()])
        .status()
        .expect("kill is on the path");
    assert!(sent.success());
}

#[tokio::test]
async fn the_first_signal_drains_and_an_interrupt_then_hurries() {
    let drain = Drain::new();
    signals::listen(&drain).unwrap();
    drain.spawn("stuck", std::future::pending::<()>());
    send("-TERM");
    drain.begun().await;
    send("-INT");
    let outcome = drain.finished(Duration::from_secs(600)).await;
    assert_eq!(outcome.reason, Reason::Signal(Signal::Terminate));
    assert_eq!(outcome.overdue, ["stuck"]);
}
