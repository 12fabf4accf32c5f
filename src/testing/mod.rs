//! What shows that a backend keeps the promises.

pub mod conformance;
mod containment;
mod crash;
mod disk;
mod faults;
mod hook;
mod mutants;
mod scenario;
mod world;

pub use crash::{Budget, Verdict, crashes};
pub use disk::SimulatedDisk;
pub use faults::{FaultVerdict, Place, faults};
pub use mutants::{Mutant, mutants, traps};
