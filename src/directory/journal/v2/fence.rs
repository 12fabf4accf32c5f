//! Whether a writer's names still are its own. docs/format.md says what is asked and why that is enough.

use super::ring::Ring;
use crate::directory::journal::Held;
use crate::directory::names;
use crate::error::{Error, Result, Step};
use crate::id::SessionId;
use crate::revision::Revision;
use crate::sys::{Directory, Identity, Outcome};

/// What tells a writer from the one that displaced it.
#[derive(Debug)]
pub(super) struct Fence {
    pub session: Directory,
    pub id: SessionId,
    pub held: Held,
}

/// A ring that its writer may write into, as its name led to it.
#[derive(Debug)]
pub(super) struct Own {
    pub ring: Ring,
    identity: Identity,
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The file, and nothing else does.
    Own,
    /// The file, which has other names as well.
    Linked,
    /// Another file, or none.
    Other,
}

impl Own {
    /// `None` if the name leads nowhere any more, or the file has another one.
    pub(super) fn new(session: &Directory, ring: Ring) -> Outcome<Option<Self>> {
        let identity = session.identity(names::segment(ring.number))?;
        Ok(identity.filter(|it| it.links == 1).map(|identity| Self { ring, identity }))
    }

    pub(super) fn named(&self, session: &Directory) -> Outcome<Named> {
        let here = session.identity(names::segment(self.ring.number))?;
        Ok(match here {
            Some(here) if !here.is_same_file(&self.identity) => Named::Other,
            Some(here) if here.links == 1 => Named::Own,
            Some(_) => Named::Linked,
            None => Named::Other,
        })
    }
}

impl Fence {
    fn is_intact(&self) -> Outcome<bool> {
        let here = self.session.identity(names::WRITER)?;
        Ok(here.is_some_and(|it| it.is_same_file(&self.held.lock)))
    }

    /// Before anything is written: then nothing was.
    pub(super) fn check(&self, newest: u64) -> Result<()> {
        match self.is_intact()? {
            true => Ok(()),
            false => {
                let revision = Revision::from_number(newest);
                let id = self.id.clone();
                Err(Error::Conflict { id, expected: revision, found: revision })
            }
        }
    }

    /// Behind the flush: nobody can say whether the successor has found what was written.
    pub(super) fn confirm(&self, written: &Own) -> Result<()> {
        if !self.is_intact()? {
            return Err(self.displaced());
        }
        match written.named(&self.session)? {
            // A snapshot that was made during a save may hold it. The next save finds the link.
            Named::Own | Named::Linked => Ok(()),
            Named::Other => {
                let name = names::segment(written.ring.number);
                Err(self.unknown(&name, "it was taken away or replaced during a save"))
            }
        }
    }

    /// The error of a save under way whose writer was displaced.
    pub(super) fn displaced(&self) -> Error {
        self.unknown(names::WRITER, "another writer took the place of this one")
    }

    fn unknown(&self, name: &str, why: &'static str) -> Error {
        let path = self.session.path().join(name);
        Error::Indeterminate { step: Step::Inspect, path, source: std::io::Error::other(why) }
    }
}
