//! The attacks on logits from elsewhere: arrays in, findings out.

mod arrays;
mod labels;
mod logits;
mod membership;
mod meter;
mod numbering;
mod options;
mod place;
mod units;
mod unread;
mod work;

pub use arrays::{Arrays, Paths};
pub use meter::Meter;
pub use options::{Mistakes, Options, Settings};
pub use place::Place;
pub use work::{Found, Work};
