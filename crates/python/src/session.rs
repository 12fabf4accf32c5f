//! The methods of sessions.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use pitstop::{Error, Unlocked};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments::{
    Format, LabelFilter, LabelsArgument, copy_options, create_options, prune_options, save_options,
    session_id,
};
use crate::call::{detached, until_free};
use crate::classes::make;
use crate::error::value;
use crate::handles::{Repository, Session};
use crate::json;
use crate::location::Location;
use crate::maintenance::{pruned_revisions, repair, trashed, verification};
use crate::payload::{Payload, Sink, Source};
use crate::results::{Made, checkpoint, checkpoint_info, export_report, history, status};
use crate::revision::{Retention, RevisionArgument};
use crate::stream::{self, RevisionReader};
use crate::writer::Writer;

impl Session {
    fn save_payload<'py>(
        &self,
        py: Python<'py>,
        payload: Payload<'_>,
        options: &pitstop::SaveOptions,
    ) -> Made<'py> {
        let info = match payload {
            Payload::Bytes(bytes) => {
                let bytes = bytes.as_bytes();
                detached(py, || self.inner.save_with(bytes, options))
            }
            Payload::Buffer(buffer) => detached(py, || self.inner.save_from(buffer, options)),
        };
        checkpoint_info(py, info?)
    }
}

#[pymethods]
impl Session {
    #[doc = doc!(Session.in_directory)]
    #[staticmethod]
    fn in_directory(py: Python<'_>, directory: Location) -> PyResult<Self> {
        let inner = detached(py, || pitstop::Session::in_directory(directory.0))?;
        let repository = Repository::stored(inner.repository(), None);
        Ok(Self { inner, repository })
    }

    #[doc = doc!(Session.id)]
    #[getter]
    fn id(&self) -> &str {
        self.inner.id().as_str()
    }

    #[doc = doc!(Session.repository)]
    #[getter]
    fn repository(&self) -> Repository {
        self.repository.clone()
    }

    #[doc = doc!(Session.location)]
    #[getter]
    fn location(&self) -> Option<PathBuf> {
        self.inner.location()
    }

    #[doc = doc!(Session.session_file)]
    #[getter]
    fn session_file(&self) -> Option<PathBuf> {
        self.inner.session_file()
    }

    #[doc = doc!(Session.load)]
    fn load<'py>(&self, py: Python<'py>) -> Made<'py> {
        checkpoint(py, detached(py, || stream::load(&self.inner, None))?)
    }

    #[doc = doc!(Session.load_revision)]
    fn load_revision<'py>(&self, py: Python<'py>, revision: RevisionArgument) -> Made<'py> {
        checkpoint(py, detached(py, || stream::load(&self.inner, Some(revision.0)))?)
    }

    #[doc = doc!(Session.open_checkpoint)]
    #[pyo3(signature = (revision=None))]
    fn open_checkpoint(
        slf: Bound<'_, Self>,
        revision: Option<RevisionArgument>,
    ) -> PyResult<Bound<'_, PyAny>> {
        let py = slf.py();
        let reader = slf.get()._open_revision(py, revision)?;
        make(py, ("pitstop._reader", "CheckpointReader"), (slf, reader))
    }

    #[pyo3(signature = (revision, /))]
    fn _open_revision(
        &self,
        py: Python<'_>,
        revision: Option<RevisionArgument>,
    ) -> PyResult<RevisionReader> {
        let reader = detached(py, || match revision {
            Some(revision) => self.inner.open_revision(revision.0),
            None => self.inner.open_checkpoint(),
        })?;
        RevisionReader::new(py, reader)
    }

    #[doc = doc!(Session.load_json)]
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

    #[doc = doc!(Session.history)]
    fn history<'py>(&self, py: Python<'py>) -> Made<'py> {
        history(py, detached(py, || self.inner.history())?)
    }

    #[doc = doc!(Session.save)]
    #[pyo3(signature = (data, *, labels=None, follows=None, keep=None))]
    fn save<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> Made<'py> {
        let options = save_options(labels, follows, keep);
        self.save_payload(data.py(), Payload::of(data)?, &options)
    }

    #[doc = doc!(Session.save_json)]
    #[pyo3(signature = (state, *, labels=None, follows=None, keep=None))]
    fn save_json<'py>(
        &self,
        state: &Bound<'py, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> Made<'py> {
        let options = save_options(labels, follows, keep);
        self.save_payload(state.py(), Payload::Bytes(json::dump(state)?), &options)
    }

    #[doc = doc!(Session.save_from)]
    #[pyo3(signature = (source, *, labels=None, follows=None, keep=None))]
    fn save_from<'py>(
        &self,
        source: &Bound<'py, PyAny>,
        labels: Option<LabelsArgument>,
        follows: Option<RevisionArgument>,
        keep: Option<Retention>,
    ) -> Made<'py> {
        let (py, file) = (source.py(), Source::new(source)?);
        let options = save_options(labels, follows, keep);
        checkpoint_info(py, detached(py, || self.inner.save_from(file, &options))?)
    }

    #[doc = doc!(Session.restore)]
    fn restore<'py>(&self, py: Python<'py>, revision: RevisionArgument) -> Made<'py> {
        checkpoint_info(py, detached(py, || self.inner.restore(revision.0))?)
    }

    #[doc = doc!(Session.fork)]
    #[pyo3(signature = (id=None, *, revision=None, prefix=""))]
    fn fork(
        &self,
        py: Python<'_>,
        id: Option<&str>,
        revision: Option<RevisionArgument>,
        prefix: &str,
    ) -> PyResult<Self> {
        let options = create_options(py, id, prefix)?;
        let inner = detached(py, || self.inner.fork(revision.map(|it| it.0), &options))?;
        Ok(Self { inner, repository: self.repository.clone() })
    }

    #[doc = doc!(Session.writer)]
    #[pyo3(signature = (*, timeout=0.0))]
    fn writer(slf: Bound<'_, Self>, timeout: f64) -> PyResult<Writer> {
        let session = slf.get();
        let inner = until_free(slf.py(), timeout, || session.inner.writer())?;
        Ok(Writer::new(inner, slf.unbind()))
    }

    #[doc = doc!(Session.status)]
    fn status<'py>(&self, py: Python<'py>) -> Made<'py> {
        status(py, detached(py, || self.inner.status())?)
    }

    #[doc = doc!(Session.unlock)]
    fn unlock(&self, py: Python<'_>) -> PyResult<Option<PathBuf>> {
        Ok(match detached(py, || self.inner.unlock())? {
            Unlocked::MovedAside(path) => Some(path),
            _ => None,
        })
    }

    #[doc = doc!(Session.make_last)]
    fn make_last(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.inner.make_last())
    }

    #[doc = doc!(Session.remove)]
    fn remove(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let removal = detached(py, || self.inner.remove())?;
        Ok(removal.remains.into_iter().map(|error| value(py, error)).collect())
    }

    #[doc = doc!(Session.trash)]
    fn trash<'py>(&self, py: Python<'py>) -> Made<'py> {
        trashed(py, detached(py, || self.inner.trash())?)
    }

    #[doc = doc!(Session.verify)]
    fn verify<'py>(&self, py: Python<'py>) -> Made<'py> {
        verification(py, detached(py, || self.inner.verify())?)
    }

    #[doc = doc!(Session.repair)]
    fn repair<'py>(&self, py: Python<'py>) -> Made<'py> {
        repair(py, detached(py, || self.inner.repair())?)
    }

    #[doc = doc!(Session.prune)]
    #[pyo3(signature = (*, keep=None, older_than=None, larger_than=None, total=None, labels=None, dry_run=false))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword")]
    fn prune<'py>(
        &self,
        py: Python<'py>,
        keep: Option<usize>,
        older_than: Option<Duration>,
        larger_than: Option<u64>,
        total: Option<u64>,
        labels: Option<LabelFilter>,
        dry_run: bool,
    ) -> Made<'py> {
        let options = prune_options(keep, older_than, larger_than, total, labels, dry_run);
        pruned_revisions(py, detached(py, || self.inner.prune(&options))?)
    }

    #[doc = doc!(Session.copy_to)]
    #[pyo3(signature = (destination, id=None, *, format=None))]
    fn copy_to(
        &self,
        py: Python<'_>,
        destination: &Repository,
        id: Option<&str>,
        format: Option<Format>,
    ) -> PyResult<Self> {
        let id = id.map(|id| session_id(py, id)).transpose()?;
        let copied =
            detached(py, || self.inner.copy_to(&destination.inner, copy_options(id, format)))?;
        Ok(destination.handle(copied.session))
    }

    #[doc = doc!(Session.export)]
    fn export<'py>(&self, file: &Bound<'py, PyAny>) -> Made<'py> {
        let sink = Sink::new(file)?;
        export_report(file.py(), detached(file.py(), || self.inner.export(sink, |_| ()))?)
    }

    #[doc = doc!(Session.convert)]
    #[pyo3(signature = (format, *, lose_history=false))]
    fn convert(&self, py: Python<'_>, format: Format, lose_history: bool) -> PyResult<()> {
        detached(py, || self.inner.convert(format.0, lose_history))
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.id() == other.id() && self.repository.identity() == other.repository.identity()
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.id(), self.repository.identity()).hash(&mut hasher);
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
