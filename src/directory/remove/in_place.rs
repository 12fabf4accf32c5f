//! Deleting a session under its own name, where it can get no other: a directory of a lower layer of an overlay
//! cannot be renamed, nor one on a btrfs that is full.
//!
//! This takes more than one step, so a kill leaves a part. What is left must not be an older state that looks like
//! the newest: so the file that holds the newest checkpoint goes when all others are gone.

use std::ffi::OsString;
use std::io::ErrorKind;

use super::{delete_entry, names, note};
use crate::backend::Removal;
use crate::directory::journal;
use crate::error::Result;
use crate::sys::{Directory, Failure, Kind, Outcome, found};

/// Deletes it with all in it, goes on past what cannot be deleted and notes it. The caller has the lock.
pub(super) fn delete(repository: &Directory, name: &str, removal: &mut Removal) -> Result<()> {
    let session = repository.open_directory(name)?;
    let mount = session.own_metadata()?.mount;
    let segments = journal::oldest_first(&session)?;
    let mut entries = session.entries()?;
    entries.sort_by_key(|(name, _)| turn(name, &segments));
    let is_last = |(name, _): &(OsString, Kind)| turn(name, &segments) >= segments.len();
    let (first, last) = entries.split_at(entries.iter().position(is_last).unwrap_or(0));
    for entries in [first, last] {
        for (name, kind) in entries {
            let outcome = delete_entry(&session, name, *kind, mount, removal);
            note(outcome, removal);
        }
        if !removal.remains.is_empty() {
            return Ok(());
        }
        sync(&session)?;
    }
    note(found(repository.remove_directory(name)).map(drop), removal);
    repository.sync().map_err(Failure::indeterminate)
}

/// When an entry goes: what is no checkpoint first, then the segments, the newest as the last.
fn turn(name: &OsString, segments: &[String]) -> usize {
    match name.to_str() {
        Some(names::CHECKPOINT) => segments.len(),
        Some(names::JOURNAL) => segments.len() + 1,
        Some(names::WRITER) => segments.len() + 2,
        Some(name) => segments.iter().position(|it| it == name).map_or(0, |at| at + 1),
        None => 0,
    }
}

/// A disk that is too full even for that has to get rid of something.
fn sync(session: &Directory) -> Outcome<()> {
    match session.sync() {
        Err(failure) if failure.kind() == ErrorKind::StorageFull => Ok(()),
        outcome => outcome,
    }
}
