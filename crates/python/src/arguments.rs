//! Arguments of calls as options of the library.

use std::collections::BTreeMap;
use std::time::Duration;

use pitstop::{CopyOptions, CreateOptions, ListOptions, PruneOptions, SaveOptions, SessionId};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyMapping;

use crate::error::raise;
use crate::revision::{Retention, RevisionArgument};

/// Labels to look for: names with their values, or with `None` for any value.
pub(crate) type LabelFilter = BTreeMap<String, Option<String>>;

/// How sessions store their checkpoints: `"journal"` or `"plain"`.
#[derive(Clone, Copy)]
pub(crate) struct Format(pub(crate) pitstop::Format);

impl<'py> FromPyObject<'_, 'py> for Format {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match value.extract::<String>()?.as_str() {
            "journal" => Ok(Self(pitstop::Format::Journal)),
            "plain" => Ok(Self(pitstop::Format::Plain)),
            other => {
                Err(PyValueError::new_err(format!("expected 'journal' or 'plain', not {other:?}")))
            }
        }
    }
}

/// Labels: any mapping of strings to strings.
pub(crate) struct LabelsArgument(Vec<(String, String)>);

impl<'py> FromPyObject<'_, 'py> for LabelsArgument {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(value.cast::<PyMapping>()?.items()?.extract()?))
    }
}

pub(crate) fn session_id(py: Python<'_>, id: &str) -> PyResult<SessionId> {
    SessionId::new(id).map_err(|error| raise(py, error))
}

pub(crate) fn copy_options(id: Option<SessionId>, format: Option<Format>) -> CopyOptions<'static> {
    let options = id.into_iter().fold(CopyOptions::new(), CopyOptions::id);
    format.into_iter().fold(options, |it, Format(format)| it.format(format))
}

pub(crate) fn create_options(
    py: Python<'_>,
    id: Option<&str>,
    prefix: &str,
) -> PyResult<CreateOptions> {
    let options = CreateOptions::new().prefix(prefix);
    Ok(match id {
        Some(id) => options.id(session_id(py, id)?),
        None => options,
    })
}

pub(crate) fn list_options(labels: Option<LabelFilter>, details: bool) -> ListOptions {
    let labels = labels.into_iter().flatten();
    let options = labels.fold(ListOptions::new(), |it, (name, value)| it.label(name, value));
    if details { options.in_full() } else { options }
}

pub(crate) fn save_options(
    labels: Option<LabelsArgument>,
    follows: Option<RevisionArgument>,
    keep: Option<Retention>,
) -> SaveOptions {
    let labels = labels.into_iter().flat_map(|LabelsArgument(labels)| labels);
    let mut options = labels.fold(SaveOptions::new(), |it, (name, value)| it.label(name, value));
    if let Some(RevisionArgument(revision)) = follows {
        options = options.follows(revision);
    }
    match keep {
        Some(Retention(retention)) => options.keep(retention),
        None => options,
    }
}

pub(crate) fn prune_options(
    keep: Option<usize>,
    older_than: Option<Duration>,
    larger_than: Option<u64>,
    total: Option<u64>,
    labels: Option<LabelFilter>,
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
