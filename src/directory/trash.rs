//! Sessions that were removed and can be put back: hidden directories in the repository.

use std::io::ErrorKind;
use std::time::Duration;

use super::names::{self, Hidden};
use super::open::OpenSession;
use super::plain::leftover;
use super::usage::usage;
use super::{create, list, lock, remove};
use crate::backend::{Removal, Summary, Trashed};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::sys::{Directory, Kind, found};

/// Takes the session out of the listing by one rename, and makes that durable.
pub(super) fn trash(session: &OpenSession) -> Result<Trashed> {
    let OpenSession { dir, id, .. } = session;
    // Before the lock, whose record takes a block itself.
    let usage = usage(dir)?;
    let lock = session.lock()?;
    leftover::check(dir, id, session.disk())?;
    let removed = names::to_stamp(session.disk().now());
    let state = Some(lock.left_by_writer());
    let summary = summary(dir, id)?.map(|it| Summary { state, ..it });
    move_in(&session.repository, dir, Trashed { id: id.clone(), removed, summary, usage })
}

/// Of two that go there at the same moment one is a little later.
fn move_in(repository: &Directory, session: &Directory, mut trashed: Trashed) -> Result<Trashed> {
    let name = names::session(&trashed.id);
    loop {
        let hidden = names::trashed(&trashed.id, trashed.removed);
        match repository.rename_new(&name, &hidden) {
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {
                trashed.removed += Duration::from_micros(1);
            }
            Err(failure) => return Err(failure.into()),
            Ok(()) => {
                if let Err(failure) = repository.sync() {
                    let _ = remove::put_back(repository, &hidden, &name, Some(session));
                    return Err(failure.indeterminate());
                }
                return Ok(trashed);
            }
        }
    }
}

pub(super) fn trashed(repository: &Directory) -> Result<Vec<Trashed>> {
    let mut all = Vec::new();
    for (name, kind) in repository.entries()? {
        let Some(Hidden::Trashed(id, removed)) = names::of_hidden(&name) else { continue };
        if kind != Kind::Directory {
            continue;
        }
        // It may be put back, or deleted, while we look.
        if let Some(session) = found(repository.open_directory(&name))? {
            let (summary, usage) = (summary(&session, &id)?, usage(&session)?);
            all.push(Trashed { id, removed, summary, usage });
        }
    }
    Ok(all)
}

/// How it stood; `None` if damage hides that. Nobody writes it.
fn summary(session: &Directory, id: &SessionId) -> Result<Option<Summary>> {
    match list::summarize(session, id) {
        Err(Error::Corrupt { .. } | Error::NewerFormat { .. }) => Ok(None),
        summary => Ok(Some(Summary { live: false, ..summary? })),
    }
}

/// Puts it back under this name. The writer's file goes first and is made anew last: see
/// [`create::mark_durable`].
pub(super) fn restore(repository: &Directory, trashed: &Trashed, id: &SessionId) -> Result<()> {
    let (hidden, name) = (names::trashed(&trashed.id, trashed.removed), names::session(id));
    let session = found(repository.open_directory(&hidden))?;
    let session = session.ok_or_else(|| not_found(repository, &trashed.id))?;
    if repository.metadata(&name)?.is_some() {
        return Err(already_exists(repository, id));
    }
    let record = lock::record(&session)?;
    found(session.remove_file(names::WRITER))?;
    match repository.rename_new(&hidden, &name) {
        Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {
            return Err(already_exists(repository, id));
        }
        // Another one took it out, or deleted it.
        Err(failure) if failure.kind() == ErrorKind::NotFound => {
            return Err(not_found(repository, &trashed.id));
        }
        outcome => outcome?,
    }
    repository.sync().map_err(|failure| {
        let _ = repository.rename_new(&name, &hidden);
        failure.indeterminate()
    })?;
    // Without it the next writer flushes the way once more, and that is all.
    let _ = create::mark_durable(&session).and_then(|()| lock::put_record(&session, record));
    Ok(())
}

fn already_exists(repository: &Directory, id: &SessionId) -> Error {
    Error::AlreadyExists { id: id.clone(), repository: repository.path().to_owned() }
}

pub(super) fn delete(repository: &Directory, trashed: &Trashed) -> Result<Removal> {
    let name = names::trashed(&trashed.id, trashed.removed);
    let removal = match repository.metadata(&name)? {
        Some(there) if there.kind == Kind::Directory => {
            remove::discard(repository, &name, &trashed.id, None)?
        }
        // A link was never put there by us.
        _ => None,
    };
    removal.ok_or_else(|| not_found(repository, &trashed.id))
}

fn not_found(repository: &Directory, id: &SessionId) -> Error {
    Error::NotFound { id: id.clone(), repository: repository.path().join("trash") }
}
