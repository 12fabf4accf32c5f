//! What was saved, and what is known of it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use pitstop::SaveOptions;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMapping, PyType};

use crate::json;

/// Which checkpoint of its session one is.
#[pyclass(frozen, eq, hash, module = "pitstop")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Revision(pub(crate) pitstop::Revision);

#[pymethods]
impl Revision {
    #[new]
    #[pyo3(signature = (revision, /))]
    fn new(revision: RevisionArgument) -> Self {
        Self(revision.0)
    }

    #[classattr]
    const NONE: Self = Self(pitstop::Revision::NONE);

    #[getter]
    fn number(&self) -> Option<u64> {
        self.0.number()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        match self.0.number() {
            Some(number) => format!("Revision({number})"),
            None => format!("Revision('{}')", self.0),
        }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyType>, (String,)) {
        (py.get_type::<Self>(), (self.0.to_string(),))
    }
}

/// A revision, its number, or its text.
pub(crate) struct RevisionArgument(pub(crate) pitstop::Revision);

impl<'py> FromPyObject<'_, 'py> for RevisionArgument {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(revision) = value.cast::<Revision>() {
            return Ok(Self(revision.get().0));
        }
        if let Ok(text) = value.extract::<String>() {
            let revision = text.parse();
            let invalid = |_| PyValueError::new_err(format!("{text:?} is no revision"));
            return revision.map(Self).map_err(invalid);
        }
        Ok(Self(pitstop::Revision::from_number(value.extract()?)))
    }
}

/// What is known of a checkpoint beside its bytes.
#[pyclass(frozen, eq, get_all, module = "pitstop")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CheckpointInfo {
    revision: Revision,
    saved: SystemTime,
    size: u64,
    digest: String,
    labels: BTreeMap<String, String>,
}

impl From<pitstop::CheckpointInfo> for CheckpointInfo {
    fn from(info: pitstop::CheckpointInfo) -> Self {
        Self {
            revision: Revision(info.revision),
            saved: info.saved,
            size: info.size,
            digest: info.digest.to_string(),
            labels: info.labels,
        }
    }
}

#[pymethods]
impl CheckpointInfo {
    fn __repr__(&self) -> String {
        let Self { revision, size, .. } = self;
        format!("<CheckpointInfo revision {}, {size} bytes>", revision.0)
    }
}

/// What is known of a checkpoint, and its bytes.
pub(crate) type Loaded = (pitstop::CheckpointInfo, Py<PyBytes>);

/// What a program saved.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Checkpoint {
    info: Py<CheckpointInfo>,
    data: Py<PyBytes>,
}

impl Checkpoint {
    pub(crate) fn new(py: Python<'_>, (info, data): Loaded) -> PyResult<Self> {
        Ok(Self { info: Py::new(py, CheckpointInfo::from(info))?, data })
    }
}

#[pymethods]
impl Checkpoint {
    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::load(self.data.bind(py))
    }

    fn __repr__(&self) -> String {
        let CheckpointInfo { revision, size, .. } = self.info.get();
        format!("<Checkpoint revision {}, {size} bytes>", revision.0)
    }
}

/// One revision that is kept.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Kept {
    info: Py<CheckpointInfo>,
    stored: u64,
}

impl Kept {
    pub(crate) fn new(py: Python<'_>, it: pitstop::Kept) -> PyResult<Py<Self>> {
        let info = Py::new(py, CheckpointInfo::from(it.info))?;
        Py::new(py, Self { info, stored: it.stored })
    }
}

/// The revisions of a session.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct History {
    revisions: Vec<Py<Kept>>,
    damaged: Vec<Revision>,
    may_lack_newer: bool,
}

impl History {
    pub(crate) fn new(py: Python<'_>, history: pitstop::History) -> PyResult<Self> {
        let kept = |it| Kept::new(py, it);
        Ok(Self {
            revisions: history.revisions.into_iter().map(kept).collect::<PyResult<_>>()?,
            damaged: history.damaged.into_iter().map(Revision).collect(),
            may_lack_newer: history.may_lack_newer,
        })
    }
}

/// Which older revisions a session keeps.
#[pyclass(frozen, eq, module = "pitstop", from_py_object)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention(pitstop::Retention);

#[pymethods]
impl Retention {
    #[classattr]
    const ALL: Self = Self(pitstop::Retention::All);

    #[classattr]
    const DEFAULT: Self = Self(pitstop::Retention::Default);

    #[staticmethod]
    fn revisions(count: usize) -> Self {
        Self(pitstop::Retention::Revisions(count))
    }

    #[staticmethod]
    fn bytes(size: u64) -> Self {
        Self(pitstop::Retention::Bytes(size))
    }

    #[staticmethod]
    fn age(age: Duration) -> Self {
        Self(pitstop::Retention::Age(age))
    }

    fn __repr__(&self) -> String {
        match self.0 {
            pitstop::Retention::Revisions(count) => format!("Retention.revisions({count})"),
            pitstop::Retention::Bytes(size) => format!("Retention.bytes({size})"),
            pitstop::Retention::Age(age) => format!("<Retention: {} s>", age.as_secs_f64()),
            pitstop::Retention::All => "Retention.ALL".to_owned(),
            _ => "Retention.DEFAULT".to_owned(),
        }
    }
}

/// Labels, as any mapping of strings to strings.
pub(crate) struct LabelsArgument(Vec<(String, String)>);

impl<'py> FromPyObject<'_, 'py> for LabelsArgument {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(value.cast::<PyMapping>()?.items()?.extract()?))
    }
}

/// The options of a save.
pub(crate) fn save_options(
    labels: Option<LabelsArgument>,
    follows: Option<RevisionArgument>,
    keep: Option<Retention>,
) -> SaveOptions {
    let mut options = SaveOptions::new();
    for (name, value) in labels.into_iter().flat_map(|LabelsArgument(labels)| labels) {
        options = options.label(name, value);
    }
    if let Some(RevisionArgument(revision)) = follows {
        options = options.follows(revision);
    }
    match keep {
        Some(Retention(retention)) => options.keep(retention),
        None => options,
    }
}
