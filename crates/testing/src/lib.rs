//! What shows that Pitstop keeps its promises.
//!
//! [`SimulatedDisk`] is a disk in memory, as weak as POSIX allows. [`crashes`] cuts its power at every
//! moment of what a program does, [`faults`] lets each call of the system fail, [`traps`] lays links
//! that lead out of a repository, and [`mutants`] takes out one precaution after the other and sees
//! that one of these fails. [`history`] judges what many clients of one repository were told, and [`simulation`] makes such
//! histories, of hosts that share an object store.

mod chains;
mod containment;
mod crash;
mod disk;
mod faults;
pub mod history;
mod hook;
mod interrupt;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod journal_2;
mod longer;
mod mutants;
mod observe;
mod operations;
mod parallel;
mod payload;
mod random;
mod readers;
mod replay;
mod run;
mod scenario;
pub mod simulation;
mod step;
mod subject;
mod world;

pub use chains::{ChainVerdict, chains};
pub use crash::{Budget, Verdict, crashes};
pub use disk::SimulatedDisk;
pub use faults::{FaultVerdict, FiredFault, Place, faults, known_faults};
pub use mutants::{Mutant, mutants, traps};
pub use readers::{ReaderVerdict, readers};
