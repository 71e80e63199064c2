//! From verified packs to findings: running figures while shadows train, the final figures at the end.

mod finish;
mod labels;
mod packs;
mod provisional;
mod reserved;
mod scratch;
mod source;

pub use finish::finish;
pub use packs::{MAX_PACK, open_pack};
pub use provisional::provisional;
pub use scratch::FileScratch;
