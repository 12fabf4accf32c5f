//! The one writer of a session.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call::payload;
use crate::checkpoint::{CheckpointInfo, Retention, RevisionArgument, save_options};
use crate::error::raise;
use crate::json;
use crate::session::Session;

/// The one writer of a session.
#[pyclass(frozen, module = "pitstop")]
pub(crate) struct Writer {
    #[pyo3(get)]
    session: Py<Session>,
    /// Threads take turns, and they wait for it without the interpreter's lock.
    inner: Mutex<Option<pitstop::Writer>>,
    process: u32,
}

impl Writer {
    pub(crate) fn new(inner: pitstop::Writer, session: Py<Session>) -> Self {
        Self { session, inner: Mutex::new(Some(inner)), process: std::process::id() }
    }

    /// Does something with the writer, which is `None` if it was closed.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut Option<pitstop::Writer>) -> T + Send,
    ) -> PyResult<T> {
        // In a child the other half of a lock that was held at the fork is gone.
        if self.process != std::process::id() {
            return Err(PyRuntimeError::new_err(format!(
                "this writer belongs to process {}, which forked this one: take one of your own",
                self.process
            )));
        }
        py.check_signals()?;
        Ok(py.detach(|| call(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))))
    }

    fn save_bytes(
        &self,
        data: &Bound<'_, PyBytes>,
        options: &pitstop::SaveOptions,
    ) -> PyResult<CheckpointInfo> {
        let (py, bytes) = (data.py(), data.as_bytes());
        let saved =
            self.with(py, |writer| writer.as_mut().map(|writer| writer.save_with(bytes, options)))?;
        match saved {
            Some(Ok(info)) => Ok(info.into()),
            Some(Err(error)) => Err(raise(py, error)),
            None => Err(PyValueError::new_err("this writer was closed")),
        }
    }
}

#[pymethods]
impl Writer {
    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |writer| writer.is_none())
    }

    #[pyo3(signature = (data, *, labels=None, follows=None, keep=None))]
    fn save(
        &self,
        data: &Bound<'_, PyAny>,
        labels: Option<BTreeMap<String, String>>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> PyResult<CheckpointInfo> {
        self.save_bytes(&payload(data)?, &save_options(labels, follows, keep))
    }

    #[pyo3(signature = (state, *, labels=None, follows=None, keep=None))]
    fn save_json(
        &self,
        state: &Bound<'_, PyAny>,
        labels: Option<BTreeMap<String, String>>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> PyResult<CheckpointInfo> {
        self.save_bytes(&json::dump(state)?, &save_options(labels, follows, keep))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |writer| drop(writer.take()))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self) -> String {
        format!("<Writer of {:?}>", self.session.get().inner)
    }
}
