//! The etcd that tests start, shared where they do it no harm, and looked into.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};

use super::nodes::EtcdNodes;

/// One node for all tests that do it no harm, as long as one of them runs.
pub fn shared() -> Option<Arc<EtcdNodes>> {
    static SHARED: Mutex<Weak<EtcdNodes>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(nodes) = shared.upgrade() {
        return Some(nodes);
    }
    let nodes = Arc::new(EtcdNodes::start(1, 1)?);
    *shared = Arc::downgrade(&nodes);
    Some(nodes)
}

/// A client beside the store, to look and to meddle.
pub async fn client(nodes: &EtcdNodes) -> Client {
    let options = ConnectOptions::new().with_timeout(Duration::from_secs(10));
    Client::connect([&nodes.urls()[0]], Some(options)).await.unwrap()
}

/// Runs `openssl` in a folder.
pub fn openssl(folder: &Path, line: &str) {
    let mut command = Command::new("openssl");
    let output = command.args(line.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
}
