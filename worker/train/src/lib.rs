//! Training shadow models, without network, files or clocks.
//!
//! A model is a [`network`] of [`layers`] (pure data). An [`engine::Engine`] trains a few shadows side by side;
//! [`lockstep`] is the engine with explicit forward and backward passes, written once over the primitives of
//! a [`backend::Backend`]. A slot drives a [`pack::PackRun`]: it advances in small slices, can be stopped
//! into a checkpoint after any of them, and goes on elsewhere with the same bits.
//!
//! Adding a layer: one file in `layers`, its primitives in `backend` and in each backend, one test.

pub mod augment;
pub mod backend;
pub mod cpu;
pub mod cuda;
pub mod data;
pub mod device;
pub mod dropout;
pub mod engine;
pub mod error;
pub mod layers;
pub mod lockstep;
mod math;
pub mod network;
pub mod numerics;
pub mod order;
pub mod pack;
pub mod params;
mod phases;
pub mod philox;
mod rotate;
pub mod schedule;

pub use data::TrainingData;
pub use device::Device;
pub use error::TrainError;
pub use numerics::numerics_class;
pub use pack::{PackJob, PackLogits, PackMembership, PackRun, Status, Weights};
