//! Making a session, and the repository where there is none.

use std::io::ErrorKind;
use std::path::Path;

use super::{DirectoryBackend, journal, names};
use crate::backend::{Format, NewSession};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::sys::{Access, Directory, Failure, Outcome, found};

/// Makes an empty session. When this returns it is durable, and so is the way to it.
pub(super) fn create(backend: &DirectoryBackend, id: &SessionId, new: &NewSession) -> Result<()> {
    if new.format == Some(Format::Memory) {
        return Err(Error::Unsupported {
            what: "the format 'memory'",
            place: format!("{}, a directory", backend.location.display()),
        });
    }
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
    finish(&repository, &name, new).inspect_err(|_| {
        // Nobody was told of this session: take it back, so that the same call works next time.
        if let Ok(session) = repository.open_directory(&name) {
            let _ = session.remove_file(names::WRITER);
            let _ = session.remove_file(names::REPLACES);
            let _ = session.remove_file(names::JOURNAL);
            let _ = session.remove_file(names::segment(0));
        }
        let _ = repository.remove_directory(&name);
        let _ = repository.sync();
    })
}

fn finish(repository: &Directory, name: &str, new: &NewSession) -> Result<()> {
    let session = repository.open_directory(name)?;
    if let Some(old) = &new.replaces {
        session.make_symlink(format!("../{}", names::session(old)), names::REPLACES)?;
        session.sync()?;
    }
    if new.format != Some(Format::Plain) {
        journal::create(&session)?;
    }
    repository.sync()?;
    Ok(mark_durable(&session)?)
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
