//! Sessions as single files, written to Python's.

use std::io::{self, Write};
use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::checkpoint::Revision;

/// What was written into an archive.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Exported {
    revisions: usize,
    files: usize,
    damaged: Vec<Revision>,
    passed_over: Vec<(PathBuf, &'static str)>,
}

impl From<pitstop::Exported> for Exported {
    fn from(it: pitstop::Exported) -> Self {
        Self {
            revisions: it.revisions,
            files: it.files,
            damaged: it.damaged.into_iter().map(Revision).collect(),
            passed_over: it.passed_over.into_iter().map(|it| (it.place, it.reason)).collect(),
        }
    }
}

#[pymethods]
impl Exported {
    fn __repr__(&self) -> String {
        format!("<Exported: {} revisions, {} files>", self.revisions, self.files)
    }
}

/// A file of Python, or anything else with a method `write`. What it raises is raised again.
pub(crate) struct Sink {
    write: Py<PyAny>,
    flush: Option<Py<PyAny>>,
}

impl Sink {
    pub(crate) fn new(file: &Bound<'_, PyAny>) -> PyResult<Self> {
        let flush = file.getattr_opt("flush")?.map(Bound::unbind);
        Ok(Self { write: file.getattr("write")?.unbind(), flush })
    }
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Python::attach(|py| {
            py.check_signals()?;
            let written = self.write.call1(py, (PyBytes::new(py, data),))?;
            // Who does not say so takes all.
            match written.extract::<Option<usize>>(py)?.unwrap_or(data.len()) {
                written if written <= data.len() => Ok(written),
                _ => Err(PyValueError::new_err("write() took more bytes than it was given")),
            }
        })
        .map_err(io::Error::other::<PyErr>)
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(flush) = &self.flush else { return Ok(()) };
        Python::attach(|py| flush.call0(py)).map(drop).map_err(io::Error::other)
    }
}
