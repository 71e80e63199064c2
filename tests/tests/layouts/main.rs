//! The same audit gives the same bytes however it is run: in one process or many, on one slot or several,
//! in one go or interrupted.

mod commands;
mod embedded;
mod everywhere;
mod one_logit;
mod queries;
mod resume;
mod workers;
