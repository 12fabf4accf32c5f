//! Deleting a session under its own name, where it can get no other: a directory of a lower layer of an overlay
//! cannot be renamed, nor one on a btrfs that is full.
//!
//! This takes more than one step, so a kill leaves a part. What is left must not be an older state that looks like
//! the newest: so all files of a journal are emptied, durably, before the first of them goes, and every load says
//! in between that it is damaged.

use std::ffi::OsStr;

use super::{delete_entry, names, note};
use crate::backend::Removal;
use crate::error::Result;
use crate::sys::{Access, Directory, Failure, Outcome, found};

/// Deletes it with all in it, goes on past what cannot be deleted and notes it. The caller has the lock.
pub(super) fn delete(repository: &Directory, name: &str, removal: &mut Removal) -> Result<()> {
    let session = repository.open_directory(name)?;
    let mount = session.own_metadata()?.mount;
    let entries = session.entries()?;
    for (name, _) in &entries {
        if name.to_str().is_some_and(|it| names::segment_number(it).is_some()) {
            empty(&session, name)?;
        }
    }
    for (name, kind) in &entries {
        let outcome = delete_entry(&session, name, *kind, mount, removal);
        note(outcome, removal);
    }
    note(found(repository.remove_directory(name)).map(drop), removal);
    Ok(repository.sync().map_err(Failure::indeterminate)?)
}

fn empty(session: &Directory, name: &OsStr) -> Outcome<()> {
    let file = session.open_file(name, Access::Write)?;
    file.set_len(0)?;
    file.sync()
}
