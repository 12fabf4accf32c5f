//! The last session: a link in the repository.

use std::io::ErrorKind;

use super::{move_aside, names};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::sys::{Directory, Failure, Kind, Outcome, found};

/// The session that the link names. Only the last part of its text counts, and only as a session of
/// this repository: so nothing outside is ever looked at, and a repository that was moved, or that
/// PlainBox made by a relative path, keeps its last session.
pub(super) fn last(repository: &Directory) -> Result<Option<SessionId>> {
    let target = match repository.metadata(names::LAST)? {
        None => return Ok(None),
        Some(there) if there.kind == Kind::Link => found(repository.read_link(names::LAST))?,
        Some(there) => {
            return Err(Error::Corrupt {
                place: repository.path().join(names::LAST),
                problem: format!("it is {}, where a link belongs", there.kind.name()),
                newest_good: None,
            });
        }
    };
    let Some(target) = target else { return Ok(None) };
    let Some(name) = std::path::Path::new(&target).file_name() else { return Ok(None) };
    if !names::is_session(name) {
        return Ok(None);
    }
    let there = repository.metadata(name)?.is_some_and(|it| it.kind == Kind::Directory);
    Ok(names::id(name).ok().filter(|_| there))
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
                if repository.read_link(&new).is_ok_and(|text| text != *target) {
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
    match move_aside(repository, names::LAST, names::LAST_ASIDE) {
        // Another one moved it. A link is never renamed over a directory that was kept.
        Err(failure) if matches!(failure.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            Ok(())
        }
        outcome => outcome.map(drop),
    }
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
                return Ok(true);
            }
        }
    }
    Ok(false)
}
