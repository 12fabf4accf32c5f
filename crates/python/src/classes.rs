//! Makes objects of the classes that are written in Python.

use pyo3::BoundObject;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Makes an object of a class that is written in Python.
pub(crate) fn make<'py>(
    py: Python<'py>,
    (module, class): (&str, &str),
    arguments: impl IntoPyObject<'py, Target = PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let arguments = arguments.into_pyobject(py).map_err(Into::into)?;
    py.import(module)?.getattr(class)?.call1(arguments.into_bound())
}
