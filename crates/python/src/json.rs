//! Converts states to and from JSON, by Python's own module.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

#[doc = doc!(dump_json)]
#[pyfunction(name = "dump_json", signature = (state, /))]
pub(crate) fn dump<'py>(state: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = state.py();
    let options = PyDict::new(py);
    options.set_item(intern!(py, "separators"), (",", ":"))?;
    options.set_item(intern!(py, "allow_nan"), false)?;
    let json = py.import(intern!(py, "json"))?;
    let text = json.call_method(intern!(py, "dumps"), (state,), Some(&options))?;
    Ok(text.call_method0(intern!(py, "encode"))?.cast_into()?)
}

#[doc = doc!(load_json)]
#[pyfunction(name = "load_json", signature = (data, /))]
pub(crate) fn load<'py>(data: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    let py = data.py();
    let json = py.import(intern!(py, "json"))?;
    json.call_method1(intern!(py, "loads"), (data,))
}
