//! The writer of a session.

use std::ffi::CString;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use pyo3::exceptions::{PyResourceWarning, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::arguments::{LabelsArgument, save_options};
use crate::call::detached;
use crate::handles::Session;
use crate::json;
use crate::payload::{Payload, Source};
use crate::results::{Made, checkpoint_info};
use crate::revision::{Retention, RevisionArgument};

#[doc = doc!(Writer)]
#[pyclass(frozen, weakref, module = "pitstop")]
pub(crate) struct Writer {
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

    /// Calls `call` with the writer, which is `None` if it was closed.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut Option<pitstop::Writer>) -> pitstop::Result<T> + Send,
    ) -> PyResult<T> {
        // In a child the other half of a lock that was held at the fork is gone.
        if self.process != std::process::id() {
            return Err(PyRuntimeError::new_err(format!(
                "this writer belongs to process {}, which forked this one: take one of your own",
                self.process
            )));
        }
        let thread = Some(thread::current().id());
        if *lock(&self.turn) == thread {
            return Err(PyRuntimeError::new_err("this writer is saving, and waits for this call"));
        }
        detached(py, || {
            let mut inner = lock(&self.inner);
            *lock(&self.turn) = thread;
            let outcome = call(&mut inner);
            *lock(&self.turn) = None;
            outcome
        })
    }

    fn save_by<'py>(
        &self,
        py: Python<'py>,
        save: impl FnOnce(&mut pitstop::Writer) -> pitstop::Result<pitstop::CheckpointInfo> + Send,
    ) -> Made<'py> {
        match self.with(py, |writer| writer.as_mut().map(save).transpose())? {
            Some(info) => checkpoint_info(py, info),
            None => Err(PyValueError::new_err("this writer is closed")),
        }
    }

    fn save_payload<'py>(
        &self,
        py: Python<'py>,
        payload: Payload<'_>,
        options: &pitstop::SaveOptions,
    ) -> Made<'py> {
        match payload {
            Payload::Bytes(bytes) => {
                let bytes = bytes.as_bytes();
                self.save_by(py, |writer| writer.save_with(bytes, options))
            }
            Payload::Buffer(buffer) => self.save_by(py, |writer| writer.save_from(buffer, options)),
        }
    }
}

/// Ends the session's lock, and tells that nobody closed the writer.
impl Drop for Writer {
    fn drop(&mut self) {
        let is_open = self.inner.get_mut().is_ok_and(|writer| writer.is_some());
        if is_open && self.process == std::process::id() {
            Python::try_attach(|py| {
                let text = format!("unclosed writer of {:?}: use 'with'", self.session.get().inner);
                let text = CString::new(text).unwrap_or_default();
                let warning = py.get_type::<PyResourceWarning>();
                if let Err(error) = PyErr::warn(py, &warning, &text, 1) {
                    error.write_unraisable(py, None);
                }
            });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pymethods]
impl Writer {
    #[doc = doc!(Writer.session)]
    #[getter]
    fn session(&self, py: Python<'_>) -> Py<Session> {
        self.session.clone_ref(py)
    }

    #[doc = doc!(Writer.closed)]
    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |writer| Ok(writer.is_none()))
    }

    #[doc = doc!(Writer.save)]
    #[pyo3(signature = (data, *, labels=None, follows=None, keep=None))]
    fn save<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> Made<'py> {
        let options = save_options(labels, follows, keep);
        self.save_payload(data.py(), Payload::of(data)?, &options)
    }

    #[doc = doc!(Writer.save_json)]
    #[pyo3(signature = (state, *, labels=None, follows=None, keep=None))]
    fn save_json<'py>(
        &self,
        state: &Bound<'py, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> Made<'py> {
        let options = save_options(labels, follows, keep);
        self.save_payload(state.py(), Payload::Bytes(json::dump(state)?), &options)
    }

    #[doc = doc!(Writer.save_from)]
    #[pyo3(signature = (source, *, labels=None, follows=None, keep=None))]
    fn save_from<'py>(
        &self,
        source: &Bound<'py, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> Made<'py> {
        let (file, options) = (Source::new(source)?, save_options(labels, follows, keep));
        self.save_by(source.py(), |writer| writer.save_from(file, &options))
    }

    #[doc = doc!(Writer.restore)]
    fn restore<'py>(&self, py: Python<'py>, revision: RevisionArgument) -> Made<'py> {
        self.save_by(py, |writer| writer.restore(revision.0))
    }

    #[doc = doc!(Writer.close)]
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.process != std::process::id() {
            // This child has no part in it.
            return Ok(());
        }
        self.with(py, |writer| {
            drop(writer.take());
            Ok(())
        })
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
