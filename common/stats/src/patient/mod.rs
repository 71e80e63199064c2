//! Patients: one number per patient and shadow, tested against membership, and what follows from it.

mod findings;
mod fit;
mod forward;
mod several;
mod tester;

pub(crate) use findings::findings;
pub(crate) use several::Several;
pub(crate) use tester::{Exam, Examiner, Tested};
pub use tester::{PatientTest, PatientTester};
