//! What a writer asks before it changes anything, and again behind the flush and before it answers: whether
//! the names that it was given are still those of what it writes. Who removes, renames or replaces them takes
//! the session from its writer, also where no kernel lock reaches: from another mount, or another machine.

use std::io;
use std::path::PathBuf;

use super::names;
use super::open::OpenSession;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::sys::{Directory, Identity, Outcome};

/// The directory and the lock file of a session, as their names said when its writer came. Names are compared
/// with names: on some file systems an open file has another number than its name.
#[derive(Debug)]
pub(super) struct Fence {
    repository: Directory,
    dir: Directory,
    id: SessionId,
    session: Identity,
    lock: Identity,
}

impl Fence {
    /// The fence of who has this lock file; fails if the session is gone.
    pub(super) fn raise(session: &OpenSession, lock: Identity) -> Result<Self> {
        let (repository, dir) = (session.repository.clone(), session.dir.clone());
        let named = repository.identity(names::session(&session.id))?;
        let named = named.ok_or_else(|| session.not_found())?;
        Ok(Self { repository, dir, id: session.id.clone(), session: named, lock })
    }

    /// Fails with [`Error::Displaced`] where the session was taken from its writer: to be asked before anything
    /// is changed.
    pub(super) fn before(&self) -> Result<()> {
        match self.broken()? {
            None => Ok(()),
            Some((place, problem)) => Err(Error::Displaced { id: self.id.clone(), place, problem }),
        }
    }

    /// Fails with [`Error::Indeterminate`] there: to be asked behind the flush. What was saved may be under
    /// another name, or may have been saved over by the next writer.
    pub(super) fn behind(&self) -> Result<()> {
        let (place, source) = match self.broken() {
            Ok(None) => return Ok(()),
            Ok(Some((place, problem))) => (place, io::Error::other(problem)),
            Err(failure) => (failure.place, failure.source),
        };
        Err(Error::Indeterminate { step: "find what was saved in", place, source })
    }

    fn broken(&self) -> Outcome<Option<(PathBuf, &'static str)>> {
        let session = names::session(&self.id);
        let problem = match self.repository.identity(&session)? {
            Some(there) if there.is_same_file(&self.session) => None,
            Some(_) => Some("it was replaced by another directory while it was written"),
            None => Some("it was removed or renamed while it was written"),
        };
        if let Some(problem) = problem {
            return Ok(Some((self.repository.path().join(session), problem)));
        }
        let problem = match self.dir.identity(names::WRITER)? {
            Some(there) if there.is_same_file(&self.lock) => return Ok(None),
            Some(_) => "it was replaced: another writer has come",
            None => "it was removed, and nobody can tell any more who the writer is",
        };
        Ok(Some((self.dir.path().join(names::WRITER), problem)))
    }
}
