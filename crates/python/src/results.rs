//! Turns what the library returns into the classes of `pitstop._results`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::classes::make;
use crate::error::value;
use crate::owner::owner;
use crate::revision::Revision;

pub(crate) type Made<'py> = PyResult<Bound<'py, PyAny>>;

/// Converts each item, and stops at the first that cannot be.
pub(crate) fn each<'py, T>(
    py: Python<'py>,
    items: impl IntoIterator<Item = T>,
    convert: impl Fn(Python<'py>, T) -> Made<'py>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    items.into_iter().map(|item| convert(py, item)).collect()
}

pub(crate) fn result<'py>(
    py: Python<'py>,
    class: &str,
    fields: impl IntoPyObject<'py, Target = pyo3::types::PyTuple>,
) -> Made<'py> {
    make(py, ("pitstop._results", class), fields)
}

pub(crate) fn checkpoint_info(py: Python<'_>, it: pitstop::CheckpointInfo) -> Made<'_> {
    let digest = it.digest.to_string();
    result(py, "CheckpointInfo", (Revision(it.revision), it.saved, it.size, digest, it.labels))
}

pub(crate) fn checkpoint(
    py: Python<'_>,
    (info, data): (pitstop::CheckpointInfo, Py<PyBytes>),
) -> Made<'_> {
    result(py, "Checkpoint", (checkpoint_info(py, info)?, data))
}

pub(crate) fn revision_info(py: Python<'_>, it: pitstop::Kept) -> Made<'_> {
    result(py, "RevisionInfo", (checkpoint_info(py, it.info)?, it.stored))
}

pub(crate) fn history(py: Python<'_>, it: pitstop::History) -> Made<'_> {
    let revisions = each(py, it.revisions, revision_info)?;
    let damaged: Vec<_> = it.damaged.into_iter().map(Revision).collect();
    result(py, "History", (revisions, damaged, it.may_lack_newer))
}

pub(crate) fn summary(py: Python<'_>, it: pitstop::Summary) -> Made<'_> {
    let (id, format) = (it.id.as_str(), it.format.to_string());
    result(py, "Summary", (id, it.saved, it.size, it.labels, it.changed, format, it.live))
}

pub(crate) fn problem(py: Python<'_>, it: pitstop::Problem) -> Made<'_> {
    result(py, "Problem", (it.name, value(py, it.error)))
}

pub(crate) fn listing(py: Python<'_>, it: pitstop::Listing) -> Made<'_> {
    result(py, "Listing", (each(py, it.sessions, summary)?, each(py, it.problems, problem)?))
}

pub(crate) fn status(py: Python<'_>, it: pitstop::Status) -> Made<'_> {
    result(py, "Status", (summary(py, it.summary)?, it.created, writer_state(py, it.writer)?))
}

fn writer_state(py: Python<'_>, it: pitstop::WriterState) -> Made<'_> {
    use pitstop::WriterState as W;
    let (state, holder, age, stale) = match &it {
        W::Live(holder) => ("live", holder.as_ref(), None, false),
        W::Interrupted(holder) => ("interrupted", Some(holder), None, false),
        W::PlainBox { age, stale } => ("locked", None, Some(*age), *stale),
        _ => ("idle", None, None, false),
    };
    let holder = holder.map(|it| owner(py, it)).transpose()?;
    result(py, "WriterState", (state, holder, age, stale))
}

pub(crate) fn export_report(py: Python<'_>, it: pitstop::Exported) -> Made<'_> {
    let damaged: Vec<_> = it.damaged.into_iter().map(Revision).collect();
    let skipped: Vec<_> = it.passed_over.into_iter().map(|it| (it.place, it.reason)).collect();
    result(py, "ExportReport", (it.revisions, it.files, damaged, skipped))
}
