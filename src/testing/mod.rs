//! What shows that a backend keeps the promises.

mod crash;
mod disk;
mod hook;
mod scenario;
mod world;

pub use crash::{Budget, Verdict, crashes};
pub use disk::SimulatedDisk;
