//! Turns what maintenance finds and does into the classes of `pitstop._results`.

use pyo3::prelude::*;

use crate::error::value;
use crate::results::{Made, checkpoint_info, each, problem, result, revision_info};
use crate::revision::Revision;

pub(crate) fn verification(py: Python<'_>, it: pitstop::Verification) -> Made<'_> {
    let (damaged, newest_good) = (it.is_damaged(), it.newest_good().map(Revision));
    let (id, format) = (it.id.as_str(), it.format.to_string());
    let (checks, findings) = (each(py, it.revisions, check)?, each(py, it.findings, finding)?);
    result(py, "VerificationReport", (id, format, checks, findings, damaged, newest_good))
}

fn check(py: Python<'_>, it: pitstop::Verified) -> Made<'_> {
    let info = it.info.map(|info| checkpoint_info(py, info)).transpose()?;
    let error = it.error.map(|error| value(py, error));
    result(py, "RevisionCheck", (Revision(it.revision), info, error))
}

fn finding(py: Python<'_>, it: pitstop::Finding) -> Made<'_> {
    let severity = match it.severity {
        pitstop::Severity::Damage => "damage",
        pitstop::Severity::Leftover => "leftover",
        _ => "note",
    };
    let revision = it.revision.map(Revision);
    result(py, "Finding", (severity, it.place, it.at, revision, it.what))
}

pub(crate) fn repair(py: Python<'_>, it: pitstop::Repair) -> Made<'_> {
    let recovered = it.renewed.map(|(good, now)| (Revision(good), Revision(now)));
    result(py, "RepairReport", (it.moved_aside, recovered, verification(py, it.now)?))
}

pub(crate) fn trashed(py: Python<'_>, it: pitstop::Trashed) -> Made<'_> {
    result(py, "TrashedSession", (it.id.as_str(), it.removed, it.usage.bytes))
}

pub(crate) fn pruned(py: Python<'_>, it: pitstop::Pruned) -> Made<'_> {
    let bytes = it.usage().bytes;
    let removed: Vec<_> = it.gone.into_iter().map(|it| it.summary.id.to_string()).collect();
    let skipped: Vec<_> = it.spared.into_iter().map(|(id, _)| id.to_string()).collect();
    result(py, "PruneReport", (removed, skipped, each(py, it.problems, problem)?, bytes))
}

pub(crate) fn pruned_revisions(py: Python<'_>, it: pitstop::PrunedRevisions) -> Made<'_> {
    result(py, "PrunedRevisions", (each(py, it.gone, revision_info)?, it.usage.bytes))
}

pub(crate) fn sweep(py: Python<'_>, it: pitstop::Sweep) -> Made<'_> {
    let undeleted: Vec<_> = it.remains.into_iter().map(|error| value(py, error)).collect();
    result(py, "SweepReport", (each(py, it.leftovers, leftover)?, undeleted))
}

fn leftover(py: Python<'_>, it: pitstop::Leftover) -> Made<'_> {
    result(py, "Leftover", (it.place, it.what, it.usage.bytes))
}
