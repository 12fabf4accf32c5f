//! Checkpoints that are larger than memory, from and to Python's files.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use pitstop::{Error, Revision};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call::payload;
use crate::checkpoint::{CheckpointInfo, Loaded};
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

/// Bytes of Python, which are loaded without a copy elsewhere.
#[derive(Default)]
pub(crate) struct NewBytes(Option<Py<PyBytes>>);

impl pitstop::Buffer for NewBytes {
    fn make(
        &mut self,
        size: usize,
        fill: &mut (dyn FnMut(&mut [u8]) -> pitstop::Result<()> + Send),
    ) -> pitstop::Result<()> {
        Python::attach(|py| {
            // What is of no use any more makes room first.
            self.0 = None;
            let mut filled = Ok(());
            let bytes = PyBytes::new_with(py, size, |room| {
                filled = py.detach(|| fill(room));
                Ok(())
            });
            let no_room = |error| Error::Output { source: io::Error::other(error) };
            self.0 = Some(bytes.map_err(no_room)?.unbind());
            filled
        })
    }
}

/// A checkpoint: the newest one, or a revision.
pub(crate) fn load(
    session: &pitstop::Session,
    revision: Option<Revision>,
) -> pitstop::Result<Loaded> {
    let mut bytes = NewBytes::default();
    let info = session.load_into(revision, &mut bytes)?;
    let empty = || Python::attach(|py| PyBytes::new(py, &[]).unbind());
    Ok((info, bytes.0.unwrap_or_else(empty)))
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
    fn read(&self, py: Python<'_>, size: Option<i64>) -> PyResult<Py<PyBytes>> {
        // As for every file of Python: without a size, or with -1, all that is left.
        let most = size.and_then(|size| u64::try_from(size).ok()).unwrap_or(u64::MAX);
        self.with(py, |reader| match reader {
            Some(reader) => Python::attach(|py| read(py, reader, most)),
            None => Err(PyValueError::new_err("this reader was closed")),
        })?
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

/// So many bytes, or fewer at the end.
fn read(
    py: Python<'_>,
    reader: &mut pitstop::CheckpointReader,
    most: u64,
) -> PyResult<Py<PyBytes>> {
    let size = usize::try_from(most.min(reader.left())).unwrap_or(usize::MAX);
    let read = PyBytes::new_with(py, size, |room| {
        py.detach(|| reader.read_exact(room)).map_err(|error| match error.downcast::<Error>() {
            Ok(error) => raise(py, error),
            Err(error) => error.into(),
        })
    });
    read.map(Bound::unbind)
}
