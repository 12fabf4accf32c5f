//! What is damaged, what can go, and what went.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pitstop::PruneOptions;
use pyo3::prelude::*;

use crate::checkpoint::{CheckpointInfo, Kept, Revision};
use crate::error::value;
use crate::status::Problem;

/// What `Session.verify` found.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Verification {
    id: String,
    format: String,
    revisions: Vec<Py<Verified>>,
    findings: Vec<Py<Finding>>,
    damaged: bool,
    newest_good: Option<Revision>,
}

/// A revision that was read, or is lost.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Verified {
    revision: Revision,
    info: Option<Py<CheckpointInfo>>,
    error: Option<Py<PyAny>>,
}

/// Something that is not as it should be.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Finding {
    severity: &'static str,
    place: PathBuf,
    at: Option<u64>,
    revision: Option<Revision>,
    what: String,
}

impl From<pitstop::Finding> for Finding {
    fn from(finding: pitstop::Finding) -> Self {
        let severity = match finding.severity {
            pitstop::Severity::Damage => "damage",
            pitstop::Severity::Leftover => "leftover",
            _ => "note",
        };
        let revision = finding.revision.map(Revision);
        Self { severity, place: finding.place, at: finding.at, revision, what: finding.what }
    }
}

#[pymethods]
impl Finding {
    fn __repr__(&self) -> String {
        format!("<Finding {}: {}>", self.severity, pitstop::printable(&self.what))
    }
}

impl Verification {
    pub(crate) fn new(py: Python<'_>, it: pitstop::Verification) -> PyResult<Self> {
        let (damaged, newest_good) = (it.is_damaged(), it.newest_good().map(Revision));
        let verified = |it: pitstop::Verified| {
            let info = it.info.map(|info| Py::new(py, CheckpointInfo::from(info))).transpose()?;
            let error = it.error.map(|error| value(py, error));
            Py::new(py, Verified { revision: Revision(it.revision), info, error })
        };
        let finding = |it| Py::new(py, Finding::from(it));
        Ok(Self {
            id: it.id.to_string(),
            format: it.format.to_string(),
            revisions: it.revisions.into_iter().map(verified).collect::<PyResult<_>>()?,
            findings: it.findings.into_iter().map(finding).collect::<PyResult<_>>()?,
            damaged,
            newest_good,
        })
    }
}

/// What a repair did.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Repair {
    moved_aside: Vec<PathBuf>,
    renewed: Option<(Revision, Revision)>,
    now: Py<Verification>,
}

impl Repair {
    pub(crate) fn new(py: Python<'_>, it: pitstop::Repair) -> PyResult<Self> {
        Ok(Self {
            moved_aside: it.moved_aside,
            renewed: it.renewed.map(|(good, now)| (Revision(good), Revision(now))),
            now: Py::new(py, Verification::new(py, it.now)?)?,
        })
    }
}

/// A removed session that can be put back.
#[pyclass(frozen, module = "pitstop")]
pub(crate) struct Trashed(pub(crate) pitstop::Trashed);

#[pymethods]
impl Trashed {
    #[getter]
    fn id(&self) -> &str {
        self.0.id.as_str()
    }

    #[getter]
    fn removed(&self) -> SystemTime {
        self.0.removed
    }

    #[getter]
    fn bytes(&self) -> u64 {
        self.0.usage.bytes
    }

    fn __repr__(&self) -> String {
        format!("<Trashed {:?}>", self.0.id.as_str())
    }
}

/// What `Repository.prune` did, or would do.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Pruned {
    gone: Vec<String>,
    spared: Vec<String>,
    problems: Vec<Py<Problem>>,
    bytes: u64,
}

impl Pruned {
    pub(crate) fn new(py: Python<'_>, it: pitstop::Pruned) -> PyResult<Self> {
        let bytes = it.usage().bytes;
        let problem = |it| Problem::new(py, it);
        Ok(Self {
            gone: it.gone.into_iter().map(|it| it.summary.id.to_string()).collect(),
            spared: it.spared.into_iter().map(|(id, _)| id.to_string()).collect(),
            problems: it.problems.into_iter().map(problem).collect::<PyResult<_>>()?,
            bytes,
        })
    }
}

/// What `Session.prune` did, or would do.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct PrunedRevisions {
    gone: Vec<Py<Kept>>,
    bytes: u64,
}

impl PrunedRevisions {
    pub(crate) fn new(py: Python<'_>, it: pitstop::PrunedRevisions) -> PyResult<Self> {
        let kept = |it| Kept::new(py, it);
        Ok(Self {
            gone: it.gone.into_iter().map(kept).collect::<PyResult<_>>()?,
            bytes: it.usage.bytes,
        })
    }
}

/// What `Repository.sweep` did, or would do.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Sweep {
    leftovers: Vec<Py<Leftover>>,
    remains: Vec<Py<PyAny>>,
}

/// Something that a killed process left.
#[pyclass(frozen, get_all, module = "pitstop")]
pub(crate) struct Leftover {
    place: PathBuf,
    what: &'static str,
    bytes: u64,
}

impl Sweep {
    pub(crate) fn new(py: Python<'_>, it: pitstop::Sweep) -> PyResult<Self> {
        let leftover = |it: pitstop::Leftover| {
            Py::new(py, Leftover { place: it.place, what: it.what, bytes: it.usage.bytes })
        };
        let remains = it.remains.into_iter();
        Ok(Self {
            leftovers: it.leftovers.into_iter().map(leftover).collect::<PyResult<_>>()?,
            remains: remains.map(|error| value(py, error)).collect(),
        })
    }
}

#[pymethods]
impl Leftover {
    fn __repr__(&self) -> String {
        format!("<Leftover {:?}: {}>", self.place, self.what)
    }
}

/// What can go.
pub(crate) fn prune_options(
    keep: Option<usize>,
    older_than: Option<Duration>,
    larger_than: Option<u64>,
    total: Option<u64>,
    labels: Option<BTreeMap<String, Option<String>>>,
    dry_run: bool,
) -> PruneOptions {
    let mut options = PruneOptions::new();
    options = keep.into_iter().fold(options, PruneOptions::keep);
    options = older_than.into_iter().fold(options, PruneOptions::older_than);
    options = larger_than.into_iter().fold(options, PruneOptions::larger_than);
    options = total.into_iter().fold(options, PruneOptions::total);
    for (name, value) in labels.into_iter().flatten() {
        options = options.label(name, value);
    }
    if dry_run { options.dry_run() } else { options }
}
