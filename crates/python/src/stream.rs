//! Loads checkpoints into Python's bytes, at once or in pieces.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use pitstop::{CheckpointInfo, Error, Revision};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call::interruptible;
use crate::error::raise;
use crate::results::checkpoint_info;

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
) -> pitstop::Result<(CheckpointInfo, Py<PyBytes>)> {
    let mut bytes = NewBytes::default();
    let info = session.load_into(revision, &mut bytes)?;
    let empty = || Python::attach(|py| PyBytes::new(py, &[]).unbind());
    Ok((info, bytes.0.unwrap_or_else(empty)))
}

#[doc = doc!(RevisionReader)]
#[pyclass(frozen, module = "pitstop._pitstop")]
pub(crate) struct RevisionReader {
    info: Py<PyAny>,
    inner: Mutex<Option<pitstop::CheckpointReader>>,
}

impl RevisionReader {
    pub(crate) fn new(py: Python<'_>, inner: pitstop::CheckpointReader) -> PyResult<Self> {
        let info = checkpoint_info(py, inner.info().clone())?.unbind();
        Ok(Self { info, inner: Mutex::new(Some(inner)) })
    }
}

#[pymethods]
impl RevisionReader {
    #[doc = doc!(RevisionReader.info)]
    #[getter]
    fn info(&self, py: Python<'_>) -> Py<PyAny> {
        self.info.clone_ref(py)
    }

    #[doc = doc!(RevisionReader.read)]
    #[pyo3(signature = (size, /))]
    fn read(&self, py: Python<'_>, size: i64) -> PyResult<Py<PyBytes>> {
        // As for every file of Python: with -1, all that is left.
        let limit = u64::try_from(size).unwrap_or(u64::MAX);
        interruptible(py, || {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let closed = || PyValueError::new_err("this reader is closed");
            let reader = inner.as_mut().ok_or_else(closed)?;
            Python::attach(|py| read(py, reader, limit))
        })?
    }

    #[doc = doc!(RevisionReader.close)]
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.inner.lock().unwrap_or_else(PoisonError::into_inner).take()));
    }
}

/// So many bytes, or fewer at the end.
fn read(
    py: Python<'_>,
    reader: &mut pitstop::CheckpointReader,
    limit: u64,
) -> PyResult<Py<PyBytes>> {
    let size = usize::try_from(limit.min(reader.left())).unwrap_or(usize::MAX);
    let read = PyBytes::new_with(py, size, |room| {
        py.detach(|| reader.read_exact(room)).map_err(|error| match error.downcast::<Error>() {
            Ok(error) => raise(py, error),
            Err(error) => error.into(),
        })
    });
    read.map(Bound::unbind)
}
