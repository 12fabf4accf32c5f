//! Making a session, and the repository where there is none.

use std::io::ErrorKind;
use std::path::Path;

use super::{DirectoryBackend, names, still_there};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::sys::{Access, Directory, Failure, Outcome, found};

/// Makes an empty session. When this returns it is durable, and so is the way to it.
pub(super) fn create(
    backend: &DirectoryBackend,
    id: &SessionId,
    replaces: Option<&SessionId>,
) -> Result<()> {
    let repository = make_path(backend, &backend.location)?;
    sync_way(backend, &repository)?;
    let name = names::session(id);
    match repository.make_directory(&name) {
        Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {
            return Err(Error::AlreadyExists {
                id: id.clone(),
                repository: backend.location.clone(),
            });
        }
        outcome => outcome?,
    }
    let session = match found(repository.open_directory(&name)) {
        Ok(Some(session)) => session,
        // It was made, and somebody has removed it already.
        Ok(None) => return Ok(()),
        Err(failure) => {
            let _ = repository.remove_directory(&name);
            let _ = repository.sync();
            return Err(failure.into());
        }
    };
    finish(&repository, &session, replaces).or_else(|failure| {
        if matches!(still_there(&repository, &session, id), Ok(false)) {
            // Removed already; what has the name now is somebody else's.
            return Ok(());
        }
        // Nobody was told of this session: take it back, so that the same call works next time.
        let _ = session.remove_file(names::WRITER);
        let _ = session.remove_file(names::REPLACES);
        let _ = repository.remove_directory(&name);
        let _ = repository.sync();
        Err(failure.into())
    })
}

fn finish(
    repository: &Directory,
    session: &Directory,
    replaces: Option<&SessionId>,
) -> Outcome<()> {
    if let Some(old) = replaces {
        session.make_symlink(format!("../{}", names::session(old)), names::REPLACES)?;
        session.sync()?;
    }
    repository.sync()?;
    mark_durable(session)
}

/// Notes that every name on the way to this session is durable: the writer's file exists only after
/// that, so whoever finds it need not flush the way again.
pub(super) fn mark_durable(session: &Directory) -> Outcome<()> {
    session.open_file(names::WRITER, Access::Create).map(drop)
}

/// Makes the names of the repository and of every directory above it durable, up to where another
/// file system begins. Another process may have made them and not come to flushing them.
pub(super) fn sync_way(backend: &DirectoryBackend, repository: &Directory) -> Outcome<()> {
    if backend.way_is_durable.get().is_some() {
        return Ok(());
    }
    let mut below = repository.own_metadata()?;
    let mut directory = repository.clone();
    loop {
        directory = match directory.open_directory("..") {
            Ok(above) => above,
            // A directory that we may not read is none that we could have made.
            Err(failure) if failure.kind() == ErrorKind::PermissionDenied => break,
            Err(failure) => return Err(failure),
        };
        let here = directory.own_metadata()?;
        if here.is_same_file(&below) || (here.device, here.mount) != (below.device, below.mount) {
            break;
        }
        directory.sync()?;
        below = here;
    }
    let _ = backend.way_is_durable.set(());
    Ok(())
}

/// Makes a directory and those above it where they are missing.
fn make_path(backend: &DirectoryBackend, path: &Path) -> Result<Directory> {
    if let Some(directory) = found(Directory::open(&*backend.disk, path))? {
        return Ok(directory);
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::InvalidLocation {
            location: path.to_owned(),
            problem: "it leads through a directory that does not exist",
        });
    };
    let parent = make_path(backend, parent)?;
    match parent.make_directory(name) {
        // Somebody else made it in the meantime, or it is a link that leads nowhere.
        Err(failure) if failure.kind() == ErrorKind::AlreadyExists => (),
        outcome => outcome?,
    }
    Directory::open(&*backend.disk, path).map_err(|failure| lost(path, failure))
}

fn lost(path: &Path, failure: Failure) -> Error {
    match failure.kind() {
        ErrorKind::NotFound => Error::InvalidLocation {
            location: path.to_owned(),
            problem: "it is a link that leads nowhere",
        },
        _ => failure.into(),
    }
}
