//! The report's charts as SVG text: one scale of sizes for all, so that they read alike on paper, on a wide
//! screen and on a telephone. Colours are Okabe and Ito's (2008), told apart by shape or dash as well.

mod axis;
mod groups;
mod roc;
mod survival;
mod svg;

pub(super) use groups::groups;
pub(super) use roc::{Series, roc};
pub(super) use survival::survival;
