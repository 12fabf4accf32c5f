//! Pitstop's tests, in one binary: each file is a subject.
#![allow(clippy::unwrap_used)]

mod crashes;
mod faults;
mod mutants;
mod sessions;
