//! Removing a session.

use std::ffi::OsStr;
use std::io::ErrorKind;

use super::aside::move_aside;
use super::names;
use super::open::OpenSession;
use super::plain::leftover;
use crate::backend::Removal;
use crate::error::{Result, Step};
use crate::id::SessionId;
use crate::sys::{Directory, Failure, Kind, Outcome, found};

/// Takes the session out of the listing by one rename, makes that durable, and then deletes it,
/// holding the writer's lock all the while. What a removal killed half-way left goes with the next
/// one of the same name.
pub(super) fn remove(session: &OpenSession) -> Result<Removal> {
    let (name, id) = (names::session(&session.id), &session.id);
    let _lock = session.lock()?;
    leftover::check(&session.dir, id, session.disk())?;
    let removal = discard(&session.repository, &name, id, Some(&session.dir))?;
    removal.ok_or_else(|| session.not_found())
}

/// Deletes a directory that holds the session of this name, or held it once. `session` if it does. `None`
/// if another one was faster.
pub(super) fn discard(
    repository: &Directory,
    name: &str,
    id: &SessionId,
    session: Option<&Directory>,
) -> Result<Option<Removal>> {
    let removed = names::removed(id);
    let mut removal = Removal::default();
    if repository.metadata(&removed)?.is_some() {
        delete(repository, &removed, &mut removal);
        if !removal.remains.is_empty() {
            // Something of an older one cannot be deleted: this one must not be mixed with it.
            move_aside(repository, &removed, &removed)?;
        }
    }
    if found(repository.rename(name, &removed))?.is_none() {
        return Ok(None);
    }
    if let Err(failure) = repository.sync() {
        // Not one file may go before that lasts. Whole it was, and whole it stays.
        let _ = put_back(repository, &removed, name, session);
        return Err(failure.indeterminate());
    }
    delete(repository, &removed, &mut removal);
    Ok(Some(removal))
}

/// Undoes a rename that could not be flushed. Nor can this one be, so the way to the session is not
/// durable any more: without the writer's file the next writer flushes it (see
/// [`create::mark_durable`]).
pub(super) fn put_back(
    repository: &Directory,
    from: &str,
    name: &str,
    session: Option<&Directory>,
) -> Outcome<()> {
    if let Some(session) = session {
        found(session.remove_file(names::WRITER))?;
    }
    repository.rename_new(from, name)
}

/// Deletes a directory with all in it, goes on past what cannot be deleted and notes it. No link is
/// followed, and nothing on another file system that is mounted inside is touched.
pub(super) fn delete(parent: &Directory, name: impl AsRef<OsStr>, removal: &mut Removal) {
    let (name, noted) = (name.as_ref(), removal.remains.len());
    // Whoever had it open may still make a file in it, once: a writer that comes too late does.
    let mut outcome = Ok(());
    for _ in 0..16 {
        outcome = delete_once(parent, name, removal);
        let is_refilled =
            outcome.as_ref().is_err_and(|it| it.kind() == ErrorKind::DirectoryNotEmpty);
        if !is_refilled || removal.remains.len() > noted {
            return note(outcome, removal);
        }
    }
    removal.remains.extend(outcome.err().map(Into::into));
}

fn delete_once(parent: &Directory, name: &OsStr, removal: &mut Removal) -> Outcome<()> {
    let Some(directory) = found(parent.open_directory(name))? else { return Ok(()) };
    empty(&directory, directory.own_metadata()?.mount, removal)?;
    found(parent.remove_directory(name)).map(drop)
}

fn empty(directory: &Directory, mount: u64, removal: &mut Removal) -> Outcome<()> {
    for (name, kind) in directory.entries()? {
        let outcome = match kind {
            Kind::Directory => remove_below(directory, &name, mount, removal),
            _ => found(directory.remove_file(&name)).map(drop),
        };
        note(outcome, removal);
    }
    Ok(())
}

fn remove_below(
    parent: &Directory,
    name: &OsStr,
    mount: u64,
    removal: &mut Removal,
) -> Outcome<()> {
    let directory = parent.open_directory(name)?;
    if directory.own_metadata()?.mount != mount {
        return Err(Failure {
            step: Step::Remove,
            path: directory.path().to_owned(),
            source: std::io::Error::other("another file system is mounted there"),
        });
    }
    empty(&directory, mount, removal)?;
    found(parent.remove_directory(name)).map(drop)
}

fn note(outcome: Outcome<()>, removal: &mut Removal) {
    match outcome {
        // A directory that is not empty holds something that was noted already.
        Err(failure) if failure.kind() == ErrorKind::DirectoryNotEmpty => (),
        Err(failure) => removal.remains.push(failure.into()),
        Ok(()) => (),
    }
}
