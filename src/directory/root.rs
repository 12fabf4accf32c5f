//! The directory of a repository: its path, its disk, and whether the path is durable.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::names;
use super::open::{OpenSession, open_directory};
use crate::error::{Error, LocationProblem, Result};
use crate::id::SessionId;
use crate::sys::{Directory, Disk, Outcome, found};

#[derive(Debug)]
pub(super) struct Root {
    location: PathBuf,
    disk: Arc<dyn Disk>,
    /// Set once the directories above the repository are known to be durable.
    ancestors_are_durable: OnceLock<()>,
}

impl Root {
    /// Refuses a path that cannot be a repository's. Makes nothing.
    pub(super) fn new(location: &Path, disk: Arc<dyn Disk>) -> Result<Self> {
        let invalid = |problem| Error::InvalidLocation { location: location.to_owned(), problem };
        let absolute =
            std::path::absolute(location).map_err(|_| invalid(LocationProblem::Empty))?;
        if absolute.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(invalid(LocationProblem::Nul));
        }
        let root = Self { location: absolute, disk, ancestors_are_durable: OnceLock::new() };
        root.open()?;
        Ok(root)
    }

    pub(super) fn location(&self) -> &Path {
        &self.location
    }

    pub(super) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Opens the repository; `None` if there is none yet.
    pub(super) fn open(&self) -> Result<Option<Directory>> {
        match found(Directory::open(&*self.disk, &self.location)) {
            Err(failure) if failure.kind() == ErrorKind::NotADirectory => {
                Err(Error::InvalidLocation {
                    location: self.location.clone(),
                    problem: LocationProblem::NotADirectory,
                })
            }
            outcome => Ok(outcome?),
        }
    }

    /// Opens a session by its name.
    pub(super) fn session(&self, id: &SessionId) -> Result<OpenSession<'_>> {
        let not_found = || self.not_found(id);
        let repository = self.open()?.ok_or_else(not_found)?;
        let dir = open_directory(&repository, &names::session(id))?.ok_or_else(not_found)?;
        Ok(OpenSession { root: self, repository, dir, id: id.clone() })
    }

    pub(super) fn not_found(&self, id: &SessionId) -> Error {
        Error::NotFound { id: id.clone(), repository: self.location.clone() }
    }

    /// Makes the names of the repository and of every directory above it durable, up to where another
    /// file system begins. Another process may have made them and not come to flushing them.
    pub(super) fn sync_ancestors(&self, repository: &Directory) -> Outcome<()> {
        if self.ancestors_are_durable.get().is_some() {
            return Ok(());
        }
        let mut below = repository.own_metadata()?;
        let mut directory = repository.clone();
        loop {
            directory = match directory.open_directory("..") {
                Ok(above) => above,
                // A directory that this process may not read is none that it could have made.
                Err(failure) if failure.kind() == ErrorKind::PermissionDenied => break,
                Err(failure) => return Err(failure),
            };
            let here = directory.own_metadata()?;
            if here.is_same_file(&below) || (here.device, here.mount) != (below.device, below.mount)
            {
                break;
            }
            directory.sync()?;
            below = here;
        }
        let _ = self.ancestors_are_durable.set(());
        Ok(())
    }
}
