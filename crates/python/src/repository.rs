//! The methods of repositories.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use pitstop::Error;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList};

use crate::arguments::{
    Format, LabelFilter, copy_options, create_options, list_options, prune_options, session_id,
};
use crate::call::detached;
use crate::error::{raise, value};
use crate::handles::{Repository, Session};
use crate::location::{Location, to_python};
use crate::maintenance::{pruned, sweep, trashed};
use crate::payload::Source;
use crate::results::{Made, each, listing};

/// A removed session, as an object of `pitstop.TrashedSession` names it.
#[derive(FromPyObject)]
struct TrashedArgument {
    id: String,
    removed: SystemTime,
}

impl Repository {
    /// The entry in the trash that an argument names. Python's times have microseconds.
    fn find_trashed(&self, argument: &TrashedArgument) -> pitstop::Result<pitstop::Trashed> {
        let micros = |it: SystemTime| {
            it.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros()
        };
        let is_it = |it: &pitstop::Trashed| {
            it.id.as_str() == argument.id && micros(it.removed) == micros(argument.removed)
        };
        let found = self.inner.trash()?.into_iter().find(is_it);
        found.ok_or_else(|| match pitstop::SessionId::new(&argument.id) {
            Ok(id) => Error::NotFound { id, repository: self.inner.location().to_owned() },
            Err(error) => error.into(),
        })
    }
}

#[pymethods]
impl Repository {
    #[new]
    #[pyo3(signature = (location=None, *, format=None))]
    fn new(py: Python<'_>, location: Option<Location>, format: Option<Format>) -> PyResult<Self> {
        let inner = detached(py, || match location {
            Some(Location(location)) => pitstop::Repository::open(location),
            None => pitstop::Repository::open_default(),
        })?;
        Ok(Self::stored(inner, format))
    }

    #[doc = doc!(Repository.plainbox)]
    #[staticmethod]
    fn plainbox(py: Python<'_>) -> PyResult<Self> {
        let inner = detached(py, pitstop::Repository::open_plainbox)?;
        Ok(Self::stored(inner, Some(Format(pitstop::Format::Plain))))
    }

    #[doc = doc!(Repository.in_memory)]
    #[staticmethod]
    fn in_memory() -> Self {
        Self::new_in_memory()
    }

    #[doc = doc!(Repository.default_location)]
    #[staticmethod]
    fn default_location(py: Python<'_>) -> Made<'_> {
        let location = pitstop::Repository::default_location();
        to_python(py, &location.map_err(|error| raise(py, error))?)
    }

    #[doc = doc!(Repository.plainbox_location)]
    #[staticmethod]
    fn plainbox_location(py: Python<'_>) -> Made<'_> {
        let location = pitstop::Repository::plainbox_location();
        to_python(py, &location.map_err(|error| raise(py, error))?)
    }

    #[doc = doc!(Repository.location)]
    #[getter]
    fn location<'py>(&self, py: Python<'py>) -> Made<'py> {
        to_python(py, self.inner.location())
    }

    #[doc = doc!(Repository.create)]
    #[pyo3(signature = (id=None, *, prefix="", format=None, replace_last=false))]
    fn create(
        &self,
        py: Python<'_>,
        id: Option<&str>,
        prefix: &str,
        format: Option<Format>,
        replace_last: bool,
    ) -> PyResult<Session> {
        let mut options = create_options(py, id, prefix)?;
        if let Some(Format(format)) = format {
            options = options.format(format);
        }
        if replace_last {
            options = options.replace_last();
        }
        Ok(self.handle(detached(py, || self.inner.create(&options))?))
    }

    #[doc = doc!(Repository.get)]
    fn get(&self, py: Python<'_>, id: &str) -> PyResult<Session> {
        Ok(self.handle(detached(py, || self.inner.get(id))?))
    }

    #[doc = doc!(Repository.get_or_create)]
    fn get_or_create(&self, py: Python<'_>, id: &str) -> PyResult<Session> {
        Ok(self.handle(detached(py, || self.inner.get_or_create(id))?))
    }

    #[doc = doc!(Repository.session)]
    fn session(&self, py: Python<'_>, id: &str) -> PyResult<Session> {
        Ok(self.handle(self.inner.session(session_id(py, id)?)))
    }

    #[doc = doc!(Repository.list)]
    #[pyo3(signature = (*, labels=None, details=false))]
    fn list<'py>(&self, py: Python<'py>, labels: Option<LabelFilter>, details: bool) -> Made<'py> {
        let options = list_options(labels, details);
        listing(py, detached(py, || self.inner.list_with(&options))?)
    }

    #[doc = doc!(Repository.sweep)]
    #[pyo3(signature = (*, dry_run=false))]
    fn sweep<'py>(&self, py: Python<'py>, dry_run: bool) -> Made<'py> {
        sweep(py, detached(py, || self.inner.sweep(dry_run))?)
    }

    #[doc = doc!(Repository.import_)]
    #[pyo3(name = "import_", signature = (source, id=None, *, format=None))]
    fn import(
        &self,
        source: &Bound<'_, PyAny>,
        id: Option<&str>,
        format: Option<Format>,
    ) -> PyResult<Session> {
        let (py, file) = (source.py(), Source::new(source)?);
        let id = id.map(|id| session_id(py, id)).transpose()?;
        let copied = detached(py, || self.inner.import(file, copy_options(id, format)))?;
        Ok(self.handle(copied.session))
    }

    #[doc = doc!(Repository.last)]
    fn last(&self, py: Python<'_>) -> PyResult<Option<Session>> {
        Ok(detached(py, || self.inner.last())?.map(|session| self.handle(session)))
    }

    #[doc = doc!(Repository.trash)]
    fn trash<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        each(py, detached(py, || self.inner.trash())?, trashed)
    }

    #[doc = doc!(Repository.restore_from_trash)]
    #[pyo3(signature = (trashed, id=None))]
    fn restore_from_trash(
        &self,
        py: Python<'_>,
        trashed: TrashedArgument,
        id: Option<&str>,
    ) -> PyResult<Session> {
        let id = session_id(py, id.unwrap_or(&trashed.id))?;
        let restored =
            detached(py, || self.inner.restore_from_trash(&self.find_trashed(&trashed)?, &id))?;
        Ok(self.handle(restored))
    }

    #[doc = doc!(Repository.delete_from_trash)]
    fn delete_from_trash(
        &self,
        py: Python<'_>,
        trashed: TrashedArgument,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let removal = detached(py, || self.inner.delete_from_trash(&self.find_trashed(&trashed)?))?;
        Ok(removal.remains.into_iter().map(|error| value(py, error)).collect())
    }

    #[doc = doc!(Repository.prune)]
    #[pyo3(signature = (
        *, keep=None, older_than=None, larger_than=None, total=None, labels=None, permanently=false, dry_run=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword")]
    fn prune<'py>(
        &self,
        py: Python<'py>,
        keep: Option<usize>,
        older_than: Option<Duration>,
        larger_than: Option<u64>,
        total: Option<u64>,
        labels: Option<LabelFilter>,
        permanently: bool,
        dry_run: bool,
    ) -> Made<'py> {
        let mut options = prune_options(keep, older_than, larger_than, total, labels, dry_run);
        if permanently {
            options = options.permanently();
        }
        pruned(py, detached(py, || self.inner.prune(&options))?)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let listing = detached(py, || self.inner.list())?;
        let sessions =
            listing.sessions.into_iter().map(|it| self.handle(self.inner.session(it.id)));
        PyList::new(py, sessions.collect::<Vec<_>>())?.try_iter()
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(detached(py, || self.inner.list())?.sessions.len())
    }

    /// An empty repository is one, too.
    fn __bool__(&self) -> bool {
        true
    }

    fn __contains__(&self, py: Python<'_>, session: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = match session.cast::<Session>() {
            Ok(session) if session.get().repository.identity() != self.identity() => {
                return Ok(false);
            }
            Ok(session) => session.get().inner.id().to_string(),
            Err(_) => session.extract()?,
        };
        detached(py, || match self.inner.get(&id) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. } | Error::InvalidId { .. }) => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.identity().hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.inner)
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<((Bound<'py, PyAny>,), Bound<'py, PyDict>)> {
        if self.memory.is_some() {
            return Err(PyTypeError::new_err("a repository in memory cannot leave its process"));
        }
        let options = PyDict::new(py);
        options.set_item("format", self.format.map(|Format(format)| format.to_string()))?;
        Ok(((self.location(py)?,), options))
    }
}
