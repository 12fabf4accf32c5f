//! Locations of repositories: a `str` is a URL or a path, anything else is a path.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyString;

const HOME: &str = "'~' is not expanded: use pathlib.Path.expanduser(), or an absolute path";
const URL: &str = "it is a URL in a path: pass a str, or begin a directory of this name with a '/'";

/// A location that was checked for what only a shell or a URL means.
pub(crate) struct Location(pub(crate) PathBuf);

impl<'py> FromPyObject<'_, 'py> for Location {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let path: PathBuf = value.extract()?;
        if value.is_instance_of::<PyString>() && is_url(&path) {
            return Ok(Self(path));
        }
        match problem(&path) {
            Some(problem) => Err(invalid(value.py(), &path, problem)?),
            None => Ok(Self(path)),
        }
    }
}

fn invalid(py: Python<'_>, location: &Path, problem: &str) -> PyResult<PyErr> {
    let message = format!("{} cannot be a repository: {problem}", location.display());
    let error = py.import("pitstop._errors")?.getattr("InvalidLocation")?.call1((&message,))?;
    error.setattr("message", message)?;
    error.setattr("location", location)?;
    error.setattr("problem", problem)?;
    Ok(PyErr::from_value(error))
}

fn is_url(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains("://"))
}

/// A path object has one slash where its URL had two, so one is enough.
fn problem(path: &Path) -> Option<&'static str> {
    let Some(Component::Normal(first)) = path.components().next() else { return None };
    let first = first.as_encoded_bytes();
    match first.strip_suffix(b":") {
        _ if first.starts_with(b"~") => Some(HOME),
        Some(scheme) if scheme.len() > 1 && scheme.iter().all(u8::is_ascii_alphanumeric) => {
            Some(URL)
        }
        _ => None,
    }
}

/// A URL as `str`, which `pathlib.Path` would change, and anything else as a path.
pub(crate) fn to_python<'py>(py: Python<'py>, location: &Path) -> PyResult<Bound<'py, PyAny>> {
    match location.to_str() {
        Some(url) if is_url(location) => url.into_bound_py_any(py),
        _ => location.into_bound_py_any(py),
    }
}

/// The name of a file, as in `OSError.filename`.
pub(crate) fn file_name<'py>(py: Python<'py>, path: Option<&Path>) -> PyResult<Bound<'py, PyAny>> {
    path.map(Path::as_os_str).map(OsStr::to_os_string).into_bound_py_any(py)
}
