//! Starting the daemons' parts in this process: for the daemons themselves and for `umbra run`.

pub mod coordinator;
pub mod embedded;
pub mod log;
