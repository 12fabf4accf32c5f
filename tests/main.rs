//! Pitstop's tests, in one binary: each file is a subject.
#![allow(clippy::unwrap_used)]

mod architecture;
mod archives;
mod bad_entries;
mod conformance;
mod damage;
mod forked;
mod formats;
mod hostile_bytes;
mod inspect;
mod interleaved;
#[cfg(target_arch = "x86_64")]
mod interrupted;
mod journal_files;
mod killed;
mod locations;
mod model;
mod object;
mod plainbox;
mod power_cut;
mod rivals;
mod seed_faults;
mod sessions;
mod steps;
mod times;
mod traced;
mod watchdog;
