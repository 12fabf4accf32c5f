//! Checkpoints that are larger than memory, from and to Python's files.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call::payload;
use crate::checkpoint::CheckpointInfo;
use crate::error::raise;

/// At most so much is read from a file of Python at once.
const PIECE: usize = 1 << 20;

/// A file of Python, or anything else with a method `read`. What it raises is raised again.
pub(crate) struct Source(Py<PyAny>);

impl Source {
    pub(crate) fn new(file: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(file.getattr("read")?.unbind()))
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Python::attach(|py| {
            py.check_signals()?;
            let read = self.0.call1(py, (buffer.len().min(PIECE),))?;
            let data = payload(read.bind(py))?;
            let data = data.as_bytes();
            let Some(filled) = buffer.get_mut(..data.len()) else {
                return Err(PyValueError::new_err("read() gave more bytes than it was asked for"));
            };
            filled.copy_from_slice(data);
            Ok(data.len())
        })
        .map_err(io::Error::other)
    }
}

/// Reads a checkpoint that was found to be whole, in any pieces.
#[pyclass(frozen, module = "pitstop")]
pub(crate) struct CheckpointReader {
    #[pyo3(get)]
    info: Py<CheckpointInfo>,
    inner: Mutex<Option<pitstop::CheckpointReader>>,
}

impl CheckpointReader {
    pub(crate) fn new(py: Python<'_>, inner: pitstop::CheckpointReader) -> PyResult<Self> {
        let info = Py::new(py, CheckpointInfo::from(inner.info().clone()))?;
        Ok(Self { info, inner: Mutex::new(Some(inner)) })
    }

    fn with<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut Option<pitstop::CheckpointReader>) -> T + Send,
    ) -> PyResult<T> {
        py.check_signals()?;
        Ok(py.detach(|| call(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))))
    }
}

#[pymethods]
impl CheckpointReader {
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        // As for every file of Python: without a size, or with -1, all that is left.
        let most = size.and_then(|size| u64::try_from(size).ok()).unwrap_or(u64::MAX);
        let read = self.with(py, |reader| {
            let reader = reader.as_mut()?;
            let mut data = Vec::new();
            Some(reader.take(most).read_to_end(&mut data).map(|_| data))
        })?;
        match read {
            Some(Ok(data)) => Ok(PyBytes::new(py, &data)),
            Some(Err(error)) => Err(match error.downcast::<pitstop::Error>() {
                Ok(error) => raise(py, error),
                Err(error) => error.into(),
            }),
            None => Err(PyValueError::new_err("this reader was closed")),
        }
    }

    fn readable(&self) -> bool {
        true
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |reader| reader.is_none())
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |reader| drop(reader.take()))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) -> PyResult<()> {
        self.close(py)
    }
}
