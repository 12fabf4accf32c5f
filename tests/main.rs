//! Pitstop's tests, in one binary: each file is a subject.
#![allow(clippy::unwrap_used)]

mod conformance;
mod hostile_bytes;
mod killed;
mod model;
mod power_cut;
mod rivals;
mod sessions;
mod traced;
