//! The gRPC services. Each call is checked here, then put to the engine or the stores.

mod audits;
mod datasets;
mod findings;
mod fleet;
mod gate;
mod give;
mod pages;
mod receive;
mod refusals;
mod workers;
mod writes;

pub use audits::Audits;
pub use datasets::Datasets;
pub use findings::Findings;
pub use fleet::Fleet;
pub use gate::Gate;
pub use workers::Workers;
pub use writes::Allowance;
