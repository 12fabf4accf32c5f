//! What a writer asks before it changes anything, and again behind the flush and before it answers: whether
//! the names that it was given are still those of what it writes. Who removes, renames or replaces them takes
//! the session from its writer, also where no kernel lock reaches: from another mount, or another machine.

use std::io;
use std::path::PathBuf;

use super::names;
use super::open::OpenSession;
use crate::error::{Error, Loss, Result, Step};
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

    /// The lock file, as its name led to it.
    pub(super) fn lock(&self) -> Identity {
        self.lock
    }

    /// Fails with [`Error::Displaced`] where the session was taken from its writer: to be asked before anything
    /// is changed.
    pub(super) fn before(&self) -> Result<()> {
        match self.broken()? {
            None => Ok(()),
            Some((path, loss)) => Err(Error::Displaced { id: self.id.clone(), path, loss }),
        }
    }

    /// Fails with [`Error::Indeterminate`] there: to be asked behind the flush. What was saved may be under
    /// another name, or may have been saved over by the next writer.
    pub(super) fn behind(&self) -> Result<()> {
        let (path, source) = match self.broken() {
            Ok(None) => return Ok(()),
            Ok(Some((path, loss))) => (path, io::Error::other(loss)),
            Err(failure) => (failure.path, failure.source),
        };
        Err(Error::Indeterminate { step: Step::Confirm, path, source })
    }

    fn broken(&self) -> Outcome<Option<(PathBuf, Loss)>> {
        let session = names::session(&self.id);
        let loss = match self.repository.identity(&session)? {
            Some(there) if there.is_same_file(&self.session) => None,
            Some(_) => Some(Loss::Replaced),
            None => Some(Loss::Removed),
        };
        if let Some(loss) = loss {
            return Ok(Some((self.repository.path().join(session), loss)));
        }
        let loss = match self.dir.identity(names::WRITER)? {
            Some(there) if there.is_same_file(&self.lock) => return Ok(None),
            Some(_) => Loss::LockReplaced,
            None => Loss::LockRemoved,
        };
        Ok(Some((self.dir.path().join(names::WRITER), loss)))
    }
}
