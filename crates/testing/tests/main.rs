//! The suites that break the library on purpose, in one binary: each file is a suite.
#![allow(clippy::unwrap_used)]

mod chains;
mod crashes;
mod faults;
mod history;
mod mutants;
mod places;
mod readers;
