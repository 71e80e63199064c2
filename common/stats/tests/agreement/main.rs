//! The attacks, held against independent answers on the same inputs: definitions written out in plain loops
//! (`vectors/attacks/two_pass.py`), and the public tools, whose code is neither here nor run here
//! (`vectors/attacks/references.json` names their versions). Where a tool's definition is another one, or
//! wrong, the test shows by how much and says why.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod audit;
mod curves;
mod leakpro;
mod privacy_meter;
mod tensorflow_privacy;
mod two_pass;
mod vectors;
