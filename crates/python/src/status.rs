//! How sessions stand.

use std::time::{Duration, SystemTime};

use pyo3::prelude::*;

use crate::error::value;

/// The record that a writer leaves of itself.
#[pyclass(frozen, eq, get_all, module = "pitstop")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    host: String,
    boot_id: String,
    pid: u32,
    start_time: u64,
    program: String,
    since: SystemTime,
}

impl From<&pitstop::Owner> for Owner {
    fn from(owner: &pitstop::Owner) -> Self {
        Self {
            host: owner.host.clone(),
            boot_id: owner.boot_id.clone(),
            pid: owner.pid,
            start_time: owner.start_time,
            program: owner.program.clone(),
            since: SystemTime::UNIX_EPOCH + Duration::from_secs(owner.since),
        }
    }
}

#[pymethods]
impl Owner {
    #[new]
    fn new(
        host: String,
        boot_id: String,
        pid: u32,
        start_time: u64,
        program: String,
        since: SystemTime,
    ) -> Self {
        Self { host, boot_id, pid, start_time, program, since }
    }

    /// An error that carries it can be pickled.
    fn __getnewargs__(&self) -> (String, String, u32, u64, String, SystemTime) {
        let Self { host, boot_id, pid, start_time, program, since } = self.clone();
        (host, boot_id, pid, start_time, program, since)
    }

    fn __str__(&self) -> String {
        let name = |text| pitstop::printable(text).into_owned();
        format!("{} (pid {} on {})", name(&self.program), self.pid, name(&self.host))
    }

    fn __repr__(&self) -> String {
        format!("<Owner {}>", self.__str__())
    }
}

/// One session in a listing.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Summary {
    id: String,
    saved: Option<SystemTime>,
    size: Option<u64>,
    labels: Option<pitstop::Labels>,
    changed: SystemTime,
    format: String,
    live: bool,
}

impl From<pitstop::Summary> for Summary {
    fn from(summary: pitstop::Summary) -> Self {
        Self {
            id: summary.id.to_string(),
            saved: summary.saved,
            size: summary.size,
            labels: summary.labels,
            changed: summary.changed,
            format: summary.format.to_string(),
            live: summary.live,
        }
    }
}

#[pymethods]
impl Summary {
    fn __repr__(&self) -> String {
        format!("<Summary of {:?}, {}>", self.id, self.format)
    }
}

/// An entry of a repository that could not be read as a session.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Problem {
    name: String,
    error: Py<PyAny>,
}

impl Problem {
    pub(crate) fn new(py: Python<'_>, it: pitstop::Problem) -> PyResult<Py<Self>> {
        let error = value(py, it.error);
        Py::new(py, Self { name: it.name, error })
    }
}

/// What a repository holds.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Listing {
    sessions: Vec<Py<Summary>>,
    problems: Vec<Py<Problem>>,
}

impl Listing {
    pub(crate) fn new(py: Python<'_>, listing: pitstop::Listing) -> PyResult<Self> {
        let problem = |it| Problem::new(py, it);
        let summary = |it| Py::new(py, Summary::from(it));
        Ok(Self {
            sessions: listing.sessions.into_iter().map(summary).collect::<PyResult<_>>()?,
            problems: listing.problems.into_iter().map(problem).collect::<PyResult<_>>()?,
        })
    }
}

/// Whether a session has a writer.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct WriterState {
    state: &'static str,
    owner: Option<Owner>,
    age: Option<Duration>,
    stale: bool,
}

impl From<pitstop::WriterState> for WriterState {
    fn from(state: pitstop::WriterState) -> Self {
        let none = Self { state: "idle", owner: None, age: None, stale: false };
        match state {
            pitstop::WriterState::Live(owner) => {
                Self { state: "live", owner: owner.as_ref().map(Owner::from), ..none }
            }
            pitstop::WriterState::Interrupted(owner) => {
                Self { state: "interrupted", owner: Some(Owner::from(&owner)), ..none }
            }
            pitstop::WriterState::PlainBox { age, stale } => {
                Self { state: "plainbox", age: Some(age), stale, ..none }
            }
            _ => none,
        }
    }
}

#[pymethods]
impl WriterState {
    fn __repr__(&self) -> String {
        format!("<WriterState {}>", self.state)
    }
}

/// How a session stands.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Status {
    summary: Py<Summary>,
    created: Option<SystemTime>,
    writer: Py<WriterState>,
}

impl Status {
    pub(crate) fn new(py: Python<'_>, status: pitstop::Status) -> PyResult<Self> {
        Ok(Self {
            summary: Py::new(py, Summary::from(status.summary))?,
            created: status.created,
            writer: Py::new(py, WriterState::from(status.writer))?,
        })
    }
}
