//! Making a session, and the repository where there is none.

use std::io::ErrorKind;
use std::path::Path;

use super::open::is_current;
use super::root::Root;
use super::{journal, names};
use crate::backend::{Format, NewSession};
use crate::error::{Error, LocationProblem, Operation, Result, Subject};
use crate::id::SessionId;
use crate::sys::{Access, Directory, Failure, Outcome, found};

/// Makes an empty session. When this returns it is durable, and so is the way to it.
///
/// It is made under another name, and only the whole of it gets its own: else somebody who finds it
/// half-made would take it for a plain session.
pub(super) fn create(root: &Root, id: &SessionId, new: &NewSession) -> Result<()> {
    if new.format == Some(Format::Memory) {
        return Err(Error::Unsupported {
            operation: Operation::Format(Format::Memory),
            subject: Subject::Directory(root.location().to_owned()),
        });
    }
    let repository = make_path(root, root.location())?;
    root.sync_ancestors(&repository)?;
    let exists = || Error::AlreadyExists { id: id.clone(), repository: root.location().to_owned() };
    let name = names::session(id);
    if repository.metadata(&name)?.is_some() {
        return Err(exists());
    }
    let staged = names::staged(id);
    repository.make_directory(&staged)?;
    let outcome = fill(&repository, &staged, new).and_then(|()| {
        match repository.make_directory(&name) {
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => return Err(exists()),
            outcome => outcome?,
        }
        publish(&repository, &staged, id).inspect_err(|_| {
            // Nobody was told of this session: take it back, so that the same call works next time.
            let _ = repository.remove_directory(&name);
            let _ = repository.sync();
        })
    });
    if outcome.is_err() {
        take_back(&repository, &staged);
    }
    outcome
}

/// Makes what is in a new session, durable but for its name.
fn fill(repository: &Directory, staged: &str, new: &NewSession) -> Result<()> {
    let session = repository.open_directory(staged)?;
    if let Some(old) = &new.replaces {
        session.make_symlink(format!("../{}", names::session(old)), names::REPLACES)?;
    }
    if new.format != Some(Format::Plain) {
        journal::create(&session)?;
    }
    Ok(session.sync()?)
}

/// Puts the session in the place of the empty directory that keeps its name.
fn publish(repository: &Directory, staged: &str, id: &SessionId) -> Result<()> {
    let session = repository.open_directory(staged)?;
    match repository.rename(staged, names::session(id)) {
        Err(failure) if failure.kind() == ErrorKind::DirectoryNotEmpty => {
            // Somebody has begun to use the empty one: then that is the session.
            take_back(repository, staged);
            return Ok(());
        }
        outcome => outcome?,
    }
    let durable = repository.sync().and_then(|()| mark_durable(&session));
    if let Err(failure) = durable {
        if !is_current(repository, &session, id)? {
            // Removed already, and what has the name now is somebody else's.
            return Ok(());
        }
        // Under its other name it can be cleared away.
        let _ = repository.rename(names::session(id), staged);
        return Err(failure.into());
    }
    Ok(())
}

/// Removes a session that was not finished.
fn take_back(repository: &Directory, staged: &str) {
    if let Ok(session) = repository.open_directory(staged) {
        for name in [names::WRITER, names::REPLACES, names::JOURNAL, &names::segment(0)] {
            let _ = session.remove_file(name);
        }
    }
    let _ = repository.remove_directory(staged);
}

/// Notes that every name on the way to this session is durable: the writer's file exists only after
/// that, so whoever finds it need not flush the way again.
pub(super) fn mark_durable(session: &Directory) -> Outcome<()> {
    session.open_file(names::WRITER, Access::Create).map(drop)
}

/// Makes a directory and those above it where they are missing.
fn make_path(root: &Root, path: &Path) -> Result<Directory> {
    if let Some(directory) = found(Directory::open(&**root.disk(), path))? {
        return Ok(directory);
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::InvalidLocation {
            location: path.to_owned(),
            problem: LocationProblem::NoParent,
        });
    };
    let parent = make_path(root, parent)?;
    match parent.make_directory(name) {
        // Somebody else made it in the meantime, or it is a link that leads nowhere.
        Err(failure) if failure.kind() == ErrorKind::AlreadyExists => (),
        outcome => outcome?,
    }
    Directory::open(&**root.disk(), path).map_err(|failure| lost(path, failure))
}

fn lost(path: &Path, failure: Failure) -> Error {
    match failure.kind() {
        ErrorKind::NotFound => Error::InvalidLocation {
            location: path.to_owned(),
            problem: LocationProblem::DanglingLink,
        },
        _ => failure.into(),
    }
}
