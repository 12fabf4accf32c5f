//! Turns the library's errors into the exceptions of `pitstop._errors`.

use std::io;

use pitstop::Error;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::location::file_name;
use crate::owner::{is_this_process, owner};
use crate::revision::Revision;

const ENOENT: i32 = 2;
const EEXIST: i32 = 17;
const EAGAIN: i32 = 11;

/// The exception for an error that is told, and not raised.
pub(crate) fn value(py: Python<'_>, error: Error) -> Py<PyAny> {
    raise(py, error).into_value(py).into_any()
}

/// The exception for an error.
pub(crate) fn raise(py: Python<'_>, error: impl Into<Error>) -> PyErr {
    let error = match error.into() {
        // What was raised by a file of Python, or for want of memory.
        Error::Input { source } => match source.downcast::<PyErr>() {
            Ok(raised) => return raised,
            Err(source) => Error::Input { source },
        },
        Error::Output { source } => match source.downcast::<PyErr>() {
            Ok(raised) => return raised,
            Err(source) => Error::Output { source },
        },
        error => error,
    };
    exception(py, error).unwrap_or_else(|failure| failure)
}

fn exception(py: Python<'_>, error: Error) -> PyResult<PyErr> {
    let data = PyDict::new(py);
    let message = match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let message = match &error {
        Error::Busy { owner: Some(owner), .. } if is_this_process(owner) => {
            format!("{message}, which is this very process: close the writer that it has")
        }
        _ => message,
    };
    data.set_item("message", &message)?;
    let (class, number, place) = match &error {
        Error::NotFound { id, repository } => {
            data.set_item("id", id.as_str())?;
            ("NotFound", Some(ENOENT), Some(repository.as_path()))
        }
        Error::NoCheckpoint { id } => {
            data.set_item("id", id.as_str())?;
            ("NoCheckpoint", Some(ENOENT), None)
        }
        Error::NoRevision { id, revision } => {
            data.set_item("id", id.as_str())?;
            data.set_item("revision", Revision(*revision))?;
            ("NoRevision", Some(ENOENT), None)
        }
        Error::AlreadyExists { id, repository } => {
            data.set_item("id", id.as_str())?;
            ("AlreadyExists", Some(EEXIST), Some(repository.as_path()))
        }
        Error::Locked { id, path, age } => {
            data.set_item("id", id.as_str())?;
            data.set_item("age", *age)?;
            ("Locked", Some(EAGAIN), Some(path.as_path()))
        }
        Error::Busy { id, owner: holder } => {
            data.set_item("id", id.as_str())?;
            let holder = holder.as_deref();
            data.set_item("is_this_process", holder.is_some_and(is_this_process))?;
            data.set_item("owner", holder.map(|it| owner(py, it)).transpose()?)?;
            ("Busy", Some(EAGAIN), None)
        }
        Error::Conflict { id, expected, found } => {
            data.set_item("id", id.as_str())?;
            data.set_item("expected", Revision(*expected))?;
            data.set_item("found", Revision(*found))?;
            ("Conflict", None, None)
        }
        Error::Diverged { id, repository, revision } => {
            data.set_item("id", id.as_str())?;
            data.set_item("repository", repository)?;
            data.set_item("revision", Revision(*revision))?;
            ("Diverged", None, None)
        }
        Error::Corrupt { path, damage, newest_good } => {
            data.set_item("path", path)?;
            data.set_item("problem", damage.to_string())?;
            data.set_item("newest_good", newest_good.map(Revision))?;
            ("Corrupt", None, None)
        }
        Error::Indeterminate { step, path, source } => {
            data.set_item("step", step.to_string())?;
            ("Indeterminate", source.raw_os_error(), Some(path.as_path()))
        }
        Error::NotDurable { path, source } => {
            ("NotDurable", source.raw_os_error(), Some(path.as_path()))
        }
        Error::InvalidId(invalid) => {
            data.set_item("problem", invalid.problem.to_string())?;
            ("InvalidId", None, None)
        }
        Error::LabelsTooLong { size, limit } => {
            data.set_item("size", size)?;
            data.set_item("limit", limit)?;
            ("LabelsTooLong", None, None)
        }
        Error::InvalidLocation { location, problem } => {
            data.set_item("location", location)?;
            data.set_item("problem", problem.to_string())?;
            ("InvalidLocation", None, None)
        }
        Error::Unsupported { .. } | Error::NewerFormat { .. } => ("Unsupported", None, None),
        Error::Storage { step, path, source } => {
            data.set_item("step", step.to_string())?;
            ("StorageError", source.raw_os_error(), Some(path.as_path()))
        }
        _ => ("Error", None, None),
    };
    let class = py.import("pitstop._errors")?.getattr(class)?;
    let value = match (number, place) {
        (None, None) => class.call1((message,))?,
        (number, place) => class.call1((number, reason(number, message), file_name(py, place)?))?,
    };
    value.getattr("__dict__")?.cast::<PyDict>()?.update(data.as_mapping())?;
    Ok(PyErr::from_value(value))
}

/// What the system calls the error, as in every `OSError`.
fn reason(number: Option<i32>, message: String) -> String {
    let Some(number) = number else { return message };
    let text = io::Error::from_raw_os_error(number).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
