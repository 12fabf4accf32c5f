//! The one writer of a session.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call::payload;
use crate::checkpoint::{
    CheckpointInfo, LabelsArgument, Retention, RevisionArgument, save_options,
};
use crate::error::raise;
use crate::json;
use crate::session::Session;
use crate::stream::Source;

/// The one writer of a session.
#[pyclass(frozen, module = "pitstop")]
pub(crate) struct Writer {
    #[pyo3(get)]
    session: Py<Session>,
    /// Threads take turns, and they wait for it without the interpreter's lock.
    inner: Mutex<Option<pitstop::Writer>>,
    /// Whose turn it is.
    turn: Mutex<Option<ThreadId>>,
    process: u32,
}

impl Writer {
    pub(crate) fn new(inner: pitstop::Writer, session: Py<Session>) -> Self {
        Self {
            session,
            inner: Mutex::new(Some(inner)),
            turn: Mutex::new(None),
            process: std::process::id(),
        }
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
        let thread = Some(thread::current().id());
        if *lock(&self.turn) == thread {
            return Err(PyRuntimeError::new_err("this writer is saving, and waits for this call"));
        }
        Ok(py.detach(|| {
            let mut inner = lock(&self.inner);
            *lock(&self.turn) = thread;
            let outcome = call(&mut inner);
            *lock(&self.turn) = None;
            outcome
        }))
    }

    fn save_bytes(
        &self,
        data: &Bound<'_, PyBytes>,
        options: &pitstop::SaveOptions,
    ) -> PyResult<CheckpointInfo> {
        let (py, bytes) = (data.py(), data.as_bytes());
        self.save_by(py, |writer| writer.save_with(bytes, options))
    }

    fn save_by(
        &self,
        py: Python<'_>,
        save: impl FnOnce(&mut pitstop::Writer) -> pitstop::Result<pitstop::CheckpointInfo> + Send,
    ) -> PyResult<CheckpointInfo> {
        match self.with(py, |writer| writer.as_mut().map(save))? {
            Some(Ok(info)) => Ok(info.into()),
            Some(Err(error)) => Err(raise(py, error)),
            None => Err(PyValueError::new_err("this writer was closed")),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> PyResult<CheckpointInfo> {
        self.save_bytes(&payload(data)?, &save_options(labels, follows, keep))
    }

    #[pyo3(signature = (state, *, labels=None, follows=None, keep=None))]
    fn save_json(
        &self,
        state: &Bound<'_, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> PyResult<CheckpointInfo> {
        self.save_bytes(&json::dump(state)?, &save_options(labels, follows, keep))
    }

    #[pyo3(signature = (source, *, labels=None, follows=None, keep=None))]
    fn save_from(
        &self,
        source: &Bound<'_, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> PyResult<CheckpointInfo> {
        let (file, options) = (Source::new(source)?, save_options(labels, follows, keep));
        self.save_by(source.py(), |writer| writer.save_from(file, &options))
    }

    fn restore(&self, py: Python<'_>, revision: RevisionArgument) -> PyResult<CheckpointInfo> {
        self.save_by(py, |writer| writer.restore(revision.0))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.process != std::process::id() {
            // This child has no part in it.
            return Ok(());
        }
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
