//! The worker: it joins a coordinator, trains the packs it is given, one a slot, and sends back what
//! came of them.
//!
//! [`work()`] is the one way in, for the daemon, the embedded cluster and simulations alike. Within:
//! `session` keeps the conversation with the coordinator, over as many streams as it takes; `slot` has
//! one thread a slot, and one task a pack that fetches before and publishes after; `datasets`, `blobs`
//! and `scratch` move and keep bytes.

mod blobs;
mod config;
mod connector;
mod datasets;
mod error;
mod faults;
mod scratch;
mod session;
mod slot;
mod work;

pub use config::{Config, Settings};
pub use connector::{Connector, ConnectorError};
pub use error::{Outcome, WorkError};
pub use scratch::ScratchError;
pub use slot::{DeviceReading, Devices, Understudy};
pub use work::work;
