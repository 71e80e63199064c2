//! `umbra cluster restore FILE`.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use serde_json::json;
use umbra_coordinator::backup::restore;
use umbra_runtime::files::{FileError, create_private_folder};
use umbra_runtime::{Clock as _, SystemClock};

use crate::daemon::coordinator::open_meta;
use crate::exit::Failure;
use crate::human;
use crate::output::{Output, plain};
use crate::settings::{Flags, RestoreSettings};

/// Arguments of `umbra cluster restore`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The meta store must be empty and no coordinator may run over it. Put the blobs back before \
                        the coordinator starts: those of the backup or later ones.\n\nExamples:\n  umbra cluster \
                        restore umbra-meta.backup --state /var/lib/umbra\n  umbra cluster restore umbra-meta.backup \
                        --meta etcd --etcd-endpoints https://etcd-0:2379 --etcd-ca ca.pem"
)]
pub struct Args {
    /// The file that `umbra cluster backup` wrote
    file: PathBuf,
    #[command(flatten)]
    flags: Flags<RestoreSettings>,
}

/// Puts a backup into an empty meta store.
///
/// # Errors
/// If the store is not empty or in use, or the file is no whole backup.
pub async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    let failed = |error: FileError| Failure::failed(error.to_string());
    let file = File::open(&args.file).map_err(FileError::io("open", &args.file)).map_err(failed)?;
    let RestoreSettings { state, meta } = RestoreSettings::read(&args.flags)?;
    create_private_folder(&state).map_err(failed)?;
    let store = open_meta(&meta, &state).await?;
    let now = SystemClock::new().unix_ms();
    let restored = restore(store.as_ref(), &mut BufReader::new(file), now).await;
    let restored = restored.map_err(|error| Failure::failed(format!("{}: {error}", args.file.display())))?;
    let head = &restored.head;
    let taken = &restored.taken;
    out.result(
        || {
            let (what, by) = (human::count(restored.entries, "record"), plain(&head.coordinator));
            format!("restored {what} as they were at {taken} ({by})")
        },
        || {
            json!({
                "entries": restored.entries,
                "backup_time": taken,
                "coordinator": head.coordinator,
                "release": head.release,
            })
        },
    )
}
