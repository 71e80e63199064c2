//! Faults, on real processes: workers and coordinators killed, frozen, told to go, audits cancelled in the
//! middle. Every history ends with the findings of the undisturbed one, byte for byte.

mod backup;
mod baseline;
mod cancel;
mod chaos;
mod drain;
mod frozen;
mod killed;
mod middle;
mod restart;
