//! A named thing that holds a program's checkpoints.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use pitstop::{CreateOptions, Error, SessionId, Unlocked};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::archive::{Exported, Sink};
use crate::call::{detached, payload};
use crate::care::{PrunedRevisions, Repair, Trashed, Verification, prune_options};
use crate::checkpoint::{
    Checkpoint, CheckpointInfo, History, LabelsArgument, Retention, RevisionArgument, save_options,
};
use crate::error::{raise, value};
use crate::json;
use crate::repository::{Format, Repository, copy_options};
use crate::status::Status;
use crate::stream::{self, CheckpointReader, Source};
use crate::writer::Writer;

/// A named thing in a repository that holds a program's checkpoints.
#[pyclass(frozen, module = "pitstop")]
pub(crate) struct Session {
    pub(crate) inner: pitstop::Session,
    pub(crate) repository: Repository,
}

impl Session {
    fn save_bytes(
        &self,
        data: &Bound<'_, PyBytes>,
        options: &pitstop::SaveOptions,
    ) -> PyResult<CheckpointInfo> {
        let bytes = data.as_bytes();
        Ok(detached(data.py(), || self.inner.save_with(bytes, options))?.into())
    }
}

#[pymethods]
impl Session {
    #[staticmethod]
    fn in_directory(py: Python<'_>, directory: PathBuf) -> PyResult<Self> {
        let inner = detached(py, || pitstop::Session::in_directory(directory))?;
        let repository = Repository::on_disk(inner.repository(), None);
        Ok(Self { inner, repository })
    }

    #[getter]
    fn id(&self) -> &str {
        self.inner.id().as_str()
    }

    #[getter]
    fn repository(&self) -> Repository {
        self.repository.clone()
    }

    #[getter]
    fn location(&self) -> Option<PathBuf> {
        self.inner.location()
    }

    #[getter]
    fn session_file(&self) -> Option<PathBuf> {
        self.inner.session_file()
    }

    fn load(&self, py: Python<'_>) -> PyResult<Checkpoint> {
        Checkpoint::new(py, detached(py, || stream::load(&self.inner, None))?)
    }

    fn load_revision(&self, py: Python<'_>, revision: RevisionArgument) -> PyResult<Checkpoint> {
        Checkpoint::new(py, detached(py, || stream::load(&self.inner, Some(revision.0)))?)
    }

    #[pyo3(signature = (revision=None))]
    fn open_checkpoint(
        &self,
        py: Python<'_>,
        revision: Option<RevisionArgument>,
    ) -> PyResult<CheckpointReader> {
        let reader = detached(py, || match revision {
            Some(revision) => self.inner.open_revision(revision.0),
            None => self.inner.open_checkpoint(),
        })?;
        CheckpointReader::new(py, reader)
    }

    #[pyo3(signature = (default=None))]
    fn load_json<'py>(
        &self,
        py: Python<'py>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let loaded = detached(py, || match stream::load(&self.inner, None) {
            Err(Error::NoCheckpoint { .. }) => Ok(None),
            loaded => loaded.map(Some),
        })?;
        match loaded {
            Some((_, data)) => json::load(data.bind(py)),
            None => Ok(default.unwrap_or_else(|| py.None().into_bound(py))),
        }
    }

    fn history(&self, py: Python<'_>) -> PyResult<History> {
        History::new(py, detached(py, || self.inner.history())?)
    }

    #[pyo3(signature = (data, *, labels=None, follows=None, keep=None))]
    fn save(
        &self,
        data: &Bound<'_, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> PyResult<CheckpointInfo> {
        self.save_bytes(&payload(data)?, &save_options(labels, follows, keep))
    }

    #[pyo3(signature = (state, *, labels=None, follows=None, keep=None))]
    fn save_json(
        &self,
        state: &Bound<'_, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> PyResult<CheckpointInfo> {
        self.save_bytes(&json::dump(state)?, &save_options(labels, follows, keep))
    }

    #[pyo3(signature = (source, *, labels=None, follows=None, keep=None))]
    fn save_from(
        &self,
        source: &Bound<'_, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> PyResult<CheckpointInfo> {
        let (file, options) = (Source::new(source)?, save_options(labels, follows, keep));
        Ok(detached(source.py(), || self.inner.save_from(file, &options))?.into())
    }

    fn restore(&self, py: Python<'_>, revision: RevisionArgument) -> PyResult<CheckpointInfo> {
        Ok(detached(py, || self.inner.restore(revision.0))?.into())
    }

    #[pyo3(signature = (id=None, *, revision=None, prefix=""))]
    fn fork(
        &self,
        py: Python<'_>,
        id: Option<&str>,
        revision: Option<RevisionArgument>,
        prefix: &str,
    ) -> PyResult<Self> {
        let mut options = CreateOptions::new().prefix(prefix);
        if let Some(id) = id {
            options = options.id(SessionId::new(id).map_err(|error| raise(py, error))?);
        }
        let inner = detached(py, || self.inner.fork(revision.map(|it| it.0), &options))?;
        Ok(Self { inner, repository: self.repository.clone() })
    }

    fn writer(slf: Bound<'_, Self>) -> PyResult<Writer> {
        let session = slf.get();
        let inner = detached(slf.py(), || session.inner.writer())?;
        Ok(Writer::new(inner, slf.unbind()))
    }

    fn status(&self, py: Python<'_>) -> PyResult<Status> {
        Status::new(py, detached(py, || self.inner.status())?)
    }

    fn unlock(&self, py: Python<'_>) -> PyResult<Option<PathBuf>> {
        Ok(match detached(py, || self.inner.unlock())? {
            Unlocked::MovedAside(place) => Some(place),
            _ => None,
        })
    }

    fn make_last(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.inner.make_last())
    }

    fn remove(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let removal = detached(py, || self.inner.remove())?;
        let remains = removal.remains.into_iter();
        Ok(remains.map(|error| value(py, error)).collect())
    }

    fn trash(&self, py: Python<'_>) -> PyResult<Trashed> {
        Ok(Trashed(detached(py, || self.inner.trash())?))
    }

    fn verify(&self, py: Python<'_>) -> PyResult<Verification> {
        Verification::new(py, detached(py, || self.inner.verify())?)
    }

    fn repair(&self, py: Python<'_>) -> PyResult<Repair> {
        Repair::new(py, detached(py, || self.inner.repair())?)
    }

    #[pyo3(signature = (*, keep=None, older_than=None, larger_than=None, total=None, labels=None, dry_run=false))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword")]
    fn prune(
        &self,
        py: Python<'_>,
        keep: Option<usize>,
        older_than: Option<Duration>,
        larger_than: Option<u64>,
        total: Option<u64>,
        labels: Option<BTreeMap<String, Option<String>>>,
        dry_run: bool,
    ) -> PyResult<PrunedRevisions> {
        let options = prune_options(keep, older_than, larger_than, total, labels, dry_run);
        PrunedRevisions::new(py, detached(py, || self.inner.prune(&options))?)
    }

    #[pyo3(signature = (destination, id=None, *, format=None))]
    fn copy_to(
        &self,
        py: Python<'_>,
        destination: &Repository,
        id: Option<&str>,
        format: Option<Format>,
    ) -> PyResult<Self> {
        let id = id.map(SessionId::new).transpose().map_err(|error| raise(py, error))?;
        let copied =
            detached(py, || self.inner.copy_to(&destination.inner, copy_options(id, format)))?;
        Ok(Self { inner: copied.session, repository: destination.clone() })
    }

    fn export(&self, file: &Bound<'_, PyAny>) -> PyResult<Exported> {
        let sink = Sink::new(file)?;
        Ok(detached(file.py(), || self.inner.export(sink, |_| ()))?.into())
    }

    #[pyo3(signature = (format, *, lose_history=false))]
    fn convert(&self, py: Python<'_>, format: Format, lose_history: bool) -> PyResult<()> {
        detached(py, || self.inner.convert(format.0, lose_history))
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.id() == other.id()
            && self.repository.inner.location() == other.repository.inner.location()
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.id(), self.repository.inner.location()).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.inner)
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        // A name that ends in a slash is that of a directory.
        if let (Some(directory), true) = (self.location(), self.id().ends_with('/')) {
            let make = py.get_type::<Self>().getattr("in_directory")?;
            return Ok((make, (directory,).into_pyobject(py)?));
        }
        let make = py.get_type::<Repository>().getattr("session")?;
        Ok((make, (self.repository(), self.id()).into_pyobject(py)?))
    }
}
