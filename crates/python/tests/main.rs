//! The tests of the Python package, which are Python's: this makes the wheel and what is needed to run
//! them, in virtual environments below the target directory.
//!
//! Where PyPI cannot be reached they are skipped, and say so, but in CI that is a failure.
#![allow(clippy::unwrap_used)]

mod agents;
mod checkbox;
mod clients;
mod package;
mod venv;
