//! The last session: a link in the repository.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::Path;

use super::aside::move_aside;
use super::names;
use crate::error::{Damage, Error, Result};
use crate::id::SessionId;
use crate::sys::{Directory, Failure, Kind, Outcome, found};

/// The session that the link names, if it is there.
pub(super) fn last(repository: &Directory) -> Result<Option<SessionId>> {
    let mut target = link(repository)?;
    loop {
        let Some(id) = target.as_deref().and_then(named) else { return Ok(None) };
        let there = repository.metadata(names::session(&id))?;
        if there.is_some_and(|it| it.kind == Kind::Directory) {
            return Ok(Some(id));
        }
        // It may have been replaced since we read the link: then the new one says so.
        let now = link(repository)?;
        if now == target {
            return Ok(None);
        }
        target = now;
    }
}

/// Only the last part of the link's text counts, and only as a session of this repository: so nothing
/// outside is ever looked at, and a repository that was moved, or that PlainBox made by a relative
/// path, keeps its last session.
fn named(target: &OsStr) -> Option<SessionId> {
    let name = Path::new(target).file_name().filter(|name| names::is_session(name))?;
    names::id(OsStr::new(name.to_str()?)).ok()
}

fn link(repository: &Directory) -> Result<Option<OsString>> {
    match repository.metadata(names::LAST)? {
        None => Ok(None),
        Some(there) if there.kind == Kind::Link => Ok(found(repository.read_link(names::LAST))?),
        Some(there) => Err(Error::Corrupt {
            path: repository.path().join(names::LAST),
            damage: Damage::WrongKind { found: there.kind, expected: Kind::Link },
            newest_good: None,
        }),
    }
}

/// Puts a new link in place by a rename, so that there is one at every moment, and flushes it.
/// Like PlainBox's, it holds the whole path: PlainBox deletes what a relative one names from its
/// current directory. What is not a link is moved aside.
pub(super) fn set_last(repository: &Directory, id: &SessionId) -> Result<()> {
    keep_what_is_no_link(repository)?;
    let (target, new) = (repository.path().join(names::session(id)), names::new_last(id));
    loop {
        match repository.make_symlink(&target, &new) {
            // Left there by one that was killed, or being put in place by another.
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {
                if found(repository.read_link(&new))?.is_some_and(|text| text != *target) {
                    // It says something else: the repository was moved, or has another path.
                    found(repository.remove_file(&new))?;
                    continue;
                }
            }
            outcome => outcome?,
        }
        match repository.rename(&new, names::LAST) {
            // The other one put it in place, or took it away.
            Err(failure) if failure.kind() == ErrorKind::NotFound => {
                if last(repository)?.as_ref() == Some(id) {
                    break;
                }
            }
            outcome => {
                outcome?;
                break;
            }
        }
    }
    repository.sync().map_err(Failure::indeterminate)
}

/// Evidence is kept, also when others do this at the same time and put their link in place.
fn keep_what_is_no_link(repository: &Directory) -> Outcome<()> {
    match repository.metadata(names::LAST)? {
        None => return Ok(()),
        Some(there) if there.kind == Kind::Link => return Ok(()),
        Some(there) if there.kind != Kind::Directory && keep_by_second_name(repository)? => {
            return Ok(());
        }
        Some(_) => (),
    }
    // If it is gone, another one moved it.
    found(move_aside(repository, names::LAST, names::LAST_ASIDE)).map(drop)
}

/// Gives it a second name, which the new link then leaves as the only one. `false` if there are no
/// second names on this file system, or not of this file.
fn keep_by_second_name(repository: &Directory) -> Outcome<bool> {
    for number in 1.. {
        let aside = format!("{}-{number}", names::LAST_ASIDE);
        match repository.link(names::LAST, &aside) {
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => (),
            Err(_) => break,
            Ok(()) => {
                // Another one has put its link in place meanwhile.
                if repository.metadata(&aside)?.is_some_and(|it| it.kind == Kind::Link) {
                    repository.remove_file(&aside)?;
                }
                // The first name goes next.
                return repository.sync().map(|()| true);
            }
        }
    }
    Ok(false)
}
