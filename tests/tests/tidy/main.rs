//! The repository itself: who imports whom, what the pure crates may touch, how long files are, what words
//! they hold.

mod imports;
mod layout;
mod protos;
mod purity;
mod repository;
mod words;
