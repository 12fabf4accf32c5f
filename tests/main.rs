//! Pitstop's tests, in one binary: each file is a subject.
#![allow(clippy::unwrap_used)]

mod conformance;
mod damage;
mod killed;
mod sessions;
mod traced;
