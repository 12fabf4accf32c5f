//! Pitstop's tests, in one binary: each file is a subject.
#![allow(clippy::unwrap_used)]

mod bad_entries;
mod conformance;
mod crashes;
mod faults;
mod killed;
mod mutants;
mod plainbox;
mod seed_faults;
mod sessions;
mod steps;
mod traced;
mod watchdog;
