//! Making a session, and the repository where there is none.

use std::io::ErrorKind;
use std::path::Path;

use super::journal::{self, Version};
use super::names;
use super::root::Root;
use crate::backend::{Format, NewSession};
use crate::error::{Error, LocationProblem, Operation, Result, Subject};
use crate::id::SessionId;
use crate::sys::{Access, Directory, Failure, Outcome, found};

/// Makes an empty session. When this returns it is durable, and so is the way to it.
///
/// It is made under another name, and only the whole of it gets its own, in one step: else somebody who finds it
/// half-made, or finds its name kept, would take it for a plain session.
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
    let made = fill(&repository, &staged, new, root.new_journals)
        .and_then(|()| publish(&repository, &staged, id));
    if !matches!(made, Ok(true)) {
        take_back(&repository, &staged);
    }
    if made? { Ok(()) } else { Err(exists()) }
}

/// Makes what is in a new session, durable but for its name.
fn fill(repository: &Directory, staged: &str, new: &NewSession, version: Version) -> Result<()> {
    let session = repository.open_directory(staged)?;
    if let Some(old) = &new.replaces {
        session.make_symlink(format!("../{}", names::session(old)), names::REPLACES)?;
    }
    if new.format != Some(Format::Plain) {
        journal::create(&session, version)?;
    }
    Ok(session.sync()?)
}

/// Gives the session its name, in one step, and makes that durable. `false` if another has the name.
fn publish(repository: &Directory, staged: &str, id: &SessionId) -> Result<bool> {
    let (session, name) = (repository.open_directory(staged)?, names::session(id));
    let ours = session.own_identity()?;
    match repository.rename_new(staged, &name) {
        Err(failure) if is_taken(&failure) => return Ok(false),
        outcome => outcome?,
    }
    // A file system that cannot look and rename in one step may let another take the place of ours, which was
    // empty: as it is no more, nobody can from here on. `None`: it was removed already.
    let has_name = || -> Outcome<Option<bool>> {
        Ok(repository.identity(&name)?.map(|it| it.is_same_file(&ours)))
    };
    match repository.sync().and_then(|()| mark_durable(&session)).and_then(|()| has_name()) {
        Ok(has_name) => Ok(has_name.unwrap_or(true)),
        Err(failure) => match has_name()? {
            Some(true) => {
                // Nobody was told of this session: take it back, so that the same call works next time.
                let _ = repository.rename_new(&name, staged);
                let _ = repository.sync();
                Err(failure.into())
            }
            is_gone => Ok(is_gone.is_none()),
        },
    }
}

fn is_taken(failure: &Failure) -> bool {
    matches!(failure.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty)
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
