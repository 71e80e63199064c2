//! Patients: one number per patient and shadow, tested against membership, and what follows from it.

mod findings;
mod fit;
mod forward;
mod several;
mod store;
mod tester;

pub(crate) use findings::{About, findings};
#[cfg(test)]
pub(crate) use forward::Forward;
pub(crate) use several::{Seen as SeenOfSeveral, Several};
pub(crate) use store::{Patient, Store};
pub(crate) use tester::{Exam, Examiner};
pub use tester::{PatientTest, PatientTester};
