//! How the library is called: without the interpreter's lock, with bytes that nobody can change.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

use crate::error::raise;

/// Calls the library while other threads of Python run. A signal that came before is handled first, so
/// that nothing was done then; one that comes in between is handled when the call is through.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    call: impl FnOnce() -> pitstop::Result<T> + Send,
) -> PyResult<T> {
    py.check_signals()?;
    py.detach(call).map_err(|error| raise(py, error))
}

/// The bytes of any object that has some. What others may change meanwhile is copied.
pub(crate) fn payload<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    match data.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.clone()),
        Err(_) => Ok(PyMemoryView::from(data)?.call_method0("tobytes")?.cast_into()?),
    }
}
