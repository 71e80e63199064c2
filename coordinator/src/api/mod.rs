//! The gRPC services. Each call is checked here, then put to the engine or the stores.

mod audits;
mod auth;
mod datasets;
mod findings;
mod pages;
mod receive;
mod refusals;
mod workers;

pub use audits::Audits;
pub use auth::Auth;
pub use datasets::Datasets;
pub use findings::Findings;
pub use workers::Workers;
