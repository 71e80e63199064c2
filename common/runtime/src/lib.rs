//! What both daemons share and knows no audit: draining, named tasks, health, telemetry, listening,
//! files, scratch files, blobs, caches, mapped numbers and secrets.
//!
//! Everything here is mechanism. What a task does, when a daemon is ready and what is stored where is
//! decided by the crates above.

pub mod backoff;
mod bearer;
pub mod blobs;
pub mod cache;
pub mod causes;
pub mod clock;
pub mod drain;
pub mod files;
pub mod follow;
pub mod http;
pub mod listen;
pub mod lock;
pub mod mapped;
pub mod metrics;
pub mod scratch;
pub mod signals;
pub mod telemetry;
pub mod tls;
pub mod token;
pub mod traces;
mod turns;

pub use backoff::Backoff;
pub use bearer::Bearer;
pub use cache::{CacheError, CachedFile, FileCache};
pub use clock::{Clock, ManualClock, SystemClock};
pub use drain::{Drain, Outcome};
pub use follow::{Following, Servers};
pub use http::Health;
pub use lock::FolderLock;
pub use mapped::Mapped;
pub use metrics::Metrics;
pub use scratch::{ScratchError, ScratchFile};
pub use tls::TlsFiles;
pub use token::Token;
pub use traces::TraceParent;
