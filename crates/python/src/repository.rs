//! A place that holds sessions.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use pitstop::{CopyOptions, CreateOptions, Error, ListOptions, MemoryBackend, SessionId};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList};

use crate::call::detached;
use crate::care::{Pruned, Sweep, Trashed, prune_options};
use crate::error::{raise, value};
use crate::session::Session;
use crate::status::Listing;
use crate::stream::Source;

/// How a copy is to be made.
pub(crate) fn copy_options(id: Option<SessionId>, format: Option<Format>) -> CopyOptions<'static> {
    let options = id.into_iter().fold(CopyOptions::new(), CopyOptions::id);
    format.into_iter().fold(options, |it, Format(format)| it.format(format))
}

/// A place that holds sessions.
#[pyclass(frozen, module = "pitstop")]
#[derive(Clone)]
pub(crate) struct Repository {
    pub(crate) inner: pitstop::Repository,
    format: Option<Format>,
    is_memory: bool,
}

/// How sessions keep their checkpoints: `"journal"` or `"plain"`.
#[derive(Clone, Copy)]
pub(crate) struct Format(pub(crate) pitstop::Format);

impl<'py> FromPyObject<'_, 'py> for Format {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match value.extract::<String>()?.as_str() {
            "journal" => Ok(Self(pitstop::Format::Journal)),
            "plain" => Ok(Self(pitstop::Format::Plain)),
            other => Err(PyValueError::new_err(format!("{other:?} is no format of sessions"))),
        }
    }
}

impl Repository {
    pub(crate) fn on_disk(inner: pitstop::Repository, format: Option<Format>) -> Self {
        let inner = match format {
            Some(Format(format)) => inner.with_format(format),
            None => inner,
        };
        Self { inner, format, is_memory: false }
    }

    fn handle(&self, inner: pitstop::Session) -> Session {
        Session { inner, repository: self.clone() }
    }
}

#[pymethods]
impl Repository {
    #[new]
    #[pyo3(signature = (location=None, *, format=None))]
    fn new(py: Python<'_>, location: Option<PathBuf>, format: Option<Format>) -> PyResult<Self> {
        let inner = detached(py, || match location {
            Some(location) => pitstop::Repository::open(location),
            None => pitstop::Repository::open_default(),
        })?;
        Ok(Self::on_disk(inner, format))
    }

    #[staticmethod]
    fn plainbox(py: Python<'_>) -> PyResult<Self> {
        let inner = detached(py, pitstop::Repository::open_plainbox)?;
        Ok(Self::on_disk(inner, Some(Format(pitstop::Format::Plain))))
    }

    #[staticmethod]
    fn in_memory() -> Self {
        let inner = pitstop::Repository::with_backend(MemoryBackend::new());
        Self { inner, format: None, is_memory: true }
    }

    #[staticmethod]
    fn default_location(py: Python<'_>) -> PyResult<PathBuf> {
        pitstop::Repository::default_location().map_err(|error| raise(py, error))
    }

    #[staticmethod]
    fn plainbox_location(py: Python<'_>) -> PyResult<PathBuf> {
        pitstop::Repository::plainbox_location().map_err(|error| raise(py, error))
    }

    #[getter]
    fn location<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let location = self.inner.location();
        match location.to_str() {
            // A path of Python would take one of its slashes away.
            Some(url) if url.contains("://") => url.into_bound_py_any(py),
            _ => location.into_bound_py_any(py),
        }
    }

    #[pyo3(signature = (id=None, *, prefix="", format=None, replace_last=false))]
    fn create(
        &self,
        py: Python<'_>,
        id: Option<&str>,
        prefix: &str,
        format: Option<Format>,
        replace_last: bool,
    ) -> PyResult<Session> {
        let mut options = CreateOptions::new().prefix(prefix);
        if let Some(id) = id {
            options = options.id(SessionId::new(id).map_err(|error| raise(py, error))?);
        }
        if let Some(Format(format)) = format {
            options = options.format(format);
        }
        if replace_last {
            options = options.replace_last();
        }
        Ok(self.handle(detached(py, || self.inner.create(&options))?))
    }

    fn get(&self, py: Python<'_>, id: &str) -> PyResult<Session> {
        Ok(self.handle(detached(py, || self.inner.get(id))?))
    }

    fn get_or_create(&self, py: Python<'_>, id: &str) -> PyResult<Session> {
        Ok(self.handle(detached(py, || self.inner.get_or_create(id))?))
    }

    fn session(&self, py: Python<'_>, id: &str) -> PyResult<Session> {
        let id = SessionId::new(id).map_err(|error| raise(py, error))?;
        Ok(self.handle(self.inner.session(id)))
    }

    #[pyo3(signature = (*, labels=None, in_full=false))]
    fn list(
        &self,
        py: Python<'_>,
        labels: Option<BTreeMap<String, Option<String>>>,
        in_full: bool,
    ) -> PyResult<Listing> {
        let mut options = ListOptions::new();
        for (name, value) in labels.into_iter().flatten() {
            options = options.label(name, value);
        }
        if in_full {
            options = options.in_full();
        }
        Listing::new(py, detached(py, || self.inner.list_with(&options))?)
    }

    #[pyo3(signature = (*, dry_run=false))]
    fn sweep(&self, py: Python<'_>, dry_run: bool) -> PyResult<Sweep> {
        Sweep::new(py, detached(py, || self.inner.sweep(dry_run))?)
    }

    #[pyo3(name = "import_", signature = (source, id=None, *, format=None))]
    fn import(
        &self,
        source: &Bound<'_, PyAny>,
        id: Option<&str>,
        format: Option<Format>,
    ) -> PyResult<Session> {
        let (py, file) = (source.py(), Source::new(source)?);
        let id = id.map(SessionId::new).transpose().map_err(|error| raise(py, error))?;
        let copied = detached(py, || self.inner.import(file, copy_options(id, format)))?;
        Ok(self.handle(copied.session))
    }

    fn last(&self, py: Python<'_>) -> PyResult<Option<Session>> {
        Ok(detached(py, || self.inner.last())?.map(|session| self.handle(session)))
    }

    fn trash(&self, py: Python<'_>) -> PyResult<Vec<Trashed>> {
        Ok(detached(py, || self.inner.trash())?.into_iter().map(Trashed).collect())
    }

    #[pyo3(signature = (trashed, id=None))]
    fn restore_from_trash(
        &self,
        py: Python<'_>,
        trashed: &Trashed,
        id: Option<&str>,
    ) -> PyResult<Session> {
        let id = match id {
            Some(id) => SessionId::new(id).map_err(|error| raise(py, error))?,
            None => trashed.0.id.clone(),
        };
        Ok(self.handle(detached(py, || self.inner.restore_from_trash(&trashed.0, &id))?))
    }

    fn delete_from_trash(&self, py: Python<'_>, trashed: &Trashed) -> PyResult<Vec<Py<PyAny>>> {
        let removal = detached(py, || self.inner.delete_from_trash(&trashed.0))?;
        let remains = removal.remains.into_iter();
        Ok(remains.map(|error| value(py, error)).collect())
    }

    #[pyo3(signature = (
        *, keep=None, older_than=None, larger_than=None, total=None, labels=None, permanently=false, dry_run=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword")]
    fn prune(
        &self,
        py: Python<'_>,
        keep: Option<usize>,
        older_than: Option<Duration>,
        larger_than: Option<u64>,
        total: Option<u64>,
        labels: Option<BTreeMap<String, Option<String>>>,
        permanently: bool,
        dry_run: bool,
    ) -> PyResult<Pruned> {
        let mut options = prune_options(keep, older_than, larger_than, total, labels, dry_run);
        if permanently {
            options = options.permanently();
        }
        Pruned::new(py, detached(py, || self.inner.prune(&options))?)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let listing = detached(py, || self.inner.list())?;
        let sessions =
            listing.sessions.into_iter().map(|it| self.handle(self.inner.session(it.id)));
        PyList::new(py, sessions.collect::<Vec<_>>())?.try_iter()
    }

    fn __contains__(&self, py: Python<'_>, id: &str) -> PyResult<bool> {
        detached(py, || match self.inner.get(id) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. } | Error::InvalidId { .. }) => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.inner)
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<((Bound<'py, PyAny>,), Bound<'py, PyDict>)> {
        if self.is_memory {
            return Err(PyTypeError::new_err("a repository in memory cannot leave its process"));
        }
        let options = PyDict::new(py);
        options.set_item("format", self.format.map(|Format(format)| format.to_string()))?;
        Ok(((self.location(py)?,), options))
    }
}
