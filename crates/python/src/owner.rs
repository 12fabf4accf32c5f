//! The record that a writer leaves of itself.

use std::time::{Duration, SystemTime};
use std::{fs, process};

use pyo3::prelude::*;

use crate::classes::make;

pub(crate) fn owner<'py>(py: Python<'py>, owner: &pitstop::Owner) -> PyResult<Bound<'py, PyAny>> {
    let pitstop::Owner { host, boot_id, pid, start_time, program, since, .. } = owner;
    let since = SystemTime::UNIX_EPOCH + Duration::from_secs(*since);
    make(py, ("pitstop._results", "Owner"), (host, boot_id, *pid, *start_time, program, since))
}

/// Whether it is this very process, and no other one with its pid.
pub(crate) fn is_this_process(owner: &pitstop::Owner) -> bool {
    let started = || {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program, in parentheses, may hold anything.
        stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse::<u64>().ok()
    };
    owner.pid == process::id() && started().is_some_and(|it| it == owner.start_time)
}
