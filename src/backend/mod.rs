//! What a repository can do, whatever it is made of.

mod fields;
mod maintenance;
mod status;
mod usage;
mod verification;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::{Checkpoint, CheckpointInfo, SaveOptions};
use crate::error::{Error, Result};
use crate::files::Files;
use crate::id::SessionId;
use crate::program::{ProgramEnd, ProgramState};
use crate::revision::{At, Revision};
use crate::stream::{Buffer, CheckpointReader};

pub use crate::format::Format;
pub use maintenance::Maintenance;
pub(crate) use maintenance::maintenance;
pub use status::{History, Kept, Listing, Problem, Status, Summary, Unlocked, WriterState};
pub use usage::{GivenUp, Leftover, Removal, Sweep, Trashed, Usage};
pub use verification::{Finding, RepositoryVerification, Severity, Verification, Verified};

/// What a repository can do. [`Repository`](crate::Repository) is written once, over this trait.
///
/// An implementation keeps the promises of the README; the suite in `pitstop::conformance` (feature
/// `conformance`) checks it. Every method that changes something is durable when it returns `Ok`.
/// What only operators need is in [`Maintenance`].
pub trait Backend: fmt::Debug + Send + Sync {
    /// The path or the URL of the repository.
    fn location(&self) -> &Path;

    /// Makes an empty session, and the repository where there is none. Of two callers that make the same
    /// session, exactly one succeeds; the other gets [`Error::AlreadyExists`].
    fn create(&self, id: &SessionId, new: &NewSession) -> Result<()>;

    /// Lists all sessions, in no order; none if there is no repository. An entry that cannot be read is a
    /// [`Problem`] and hides no other.
    fn list(&self) -> Result<Listing>;

    /// Lists all sessions with all that a [`Summary`] has, for which a backend may have to look into each.
    fn list_in_full(&self) -> Result<Listing> {
        self.list()
    }

    /// Returns the state of a session, without reading its payload.
    fn status(&self, id: &SessionId) -> Result<Status>;

    /// Loads a checkpoint into the caller's memory. [`Error::NoCheckpoint`] if nothing was ever saved,
    /// [`Error::NoRevision`] if the revision is not kept.
    fn load_into(&self, id: &SessionId, at: At, buffer: &mut dyn Buffer) -> Result<CheckpointInfo>;

    /// Loads a checkpoint. Fails as [`load_into`](Self::load_into) does.
    fn load(&self, id: &SessionId, at: At) -> Result<Checkpoint> {
        let mut data = Vec::new();
        let info = self.load_into(id, at, &mut data)?;
        Ok(Checkpoint { info, data })
    }

    /// Opens a checkpoint to be read in pieces. Its bytes are verified before this returns. Fails as
    /// [`load_into`](Self::load_into) does.
    fn open(&self, id: &SessionId, at: At) -> Result<CheckpointReader>;

    /// Lists the revisions that are kept, without reading their payloads.
    fn history(&self, id: &SessionId) -> Result<History>;

    /// Becomes the one writer of a session until the result is dropped.
    fn writer(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>>;

    /// Becomes the one writer for a single save, which a backend may make cheaper than a lasting writer.
    fn writer_for_one_save(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>> {
        self.writer(id)
    }

    /// Removes a session that has no live writer. The session is gone at once and whole; the files that
    /// could not be deleted are reported.
    fn remove(&self, id: &SessionId) -> Result<Removal>;

    /// Returns the last session, if one was set and exists. The last session is known by its name: a session
    /// that is made anew under that name, after a removal, is the last session again.
    fn last(&self) -> Result<Option<SessionId>>;

    /// Sets the last session.
    fn set_last(&self, id: &SessionId) -> Result<()>;

    /// Reads all that a session keeps, and reports what can be loaded.
    fn verify(&self, id: &SessionId) -> Result<Verification> {
        verify_by_loading(self, id)
    }

    /// The directory in which a session may keep files of its own, where there is one.
    fn directory(&self, id: &SessionId) -> Option<PathBuf> {
        let _ = id;
        None
    }

    /// The program's own files in that directory, to be copied; `None` where there is none.
    fn files(&self, id: &SessionId) -> Result<Option<Files>> {
        let _ = id;
        Ok(None)
    }

    /// The maintenance of this backend; `None` if it has none.
    fn maintenance(&self) -> Option<&dyn Maintenance> {
        None
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        impl<B: Backend + ?Sized> Backend for $pointer<B> {
            fn location(&self) -> &Path {
                (**self).location()
            }
            fn create(&self, id: &SessionId, new: &NewSession) -> Result<()> {
                (**self).create(id, new)
            }
            fn list(&self) -> Result<Listing> {
                (**self).list()
            }
            fn list_in_full(&self) -> Result<Listing> {
                (**self).list_in_full()
            }
            fn status(&self, id: &SessionId) -> Result<Status> {
                (**self).status(id)
            }
            fn load_into(
                &self,
                id: &SessionId,
                at: At,
                buffer: &mut dyn Buffer,
            ) -> Result<CheckpointInfo> {
                (**self).load_into(id, at, buffer)
            }
            fn load(&self, id: &SessionId, at: At) -> Result<Checkpoint> {
                (**self).load(id, at)
            }
            fn open(&self, id: &SessionId, at: At) -> Result<CheckpointReader> {
                (**self).open(id, at)
            }
            fn history(&self, id: &SessionId) -> Result<History> {
                (**self).history(id)
            }
            fn writer(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>> {
                (**self).writer(id)
            }
            fn writer_for_one_save(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>> {
                (**self).writer_for_one_save(id)
            }
            fn remove(&self, id: &SessionId) -> Result<Removal> {
                (**self).remove(id)
            }
            fn last(&self) -> Result<Option<SessionId>> {
                (**self).last()
            }
            fn set_last(&self, id: &SessionId) -> Result<()> {
                (**self).set_last(id)
            }
            fn verify(&self, id: &SessionId) -> Result<Verification> {
                (**self).verify(id)
            }
            fn directory(&self, id: &SessionId) -> Option<PathBuf> {
                (**self).directory(id)
            }
            fn files(&self, id: &SessionId) -> Result<Option<Files>> {
                (**self).files(id)
            }
            fn maintenance(&self) -> Option<&dyn Maintenance> {
                (**self).maintenance()
            }
        }
    )*};
}

forward!(Arc, Box);

/// What a backend has to know of a session that it makes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NewSession {
    /// How it keeps its checkpoints; `None` leaves that to the backend.
    pub format: Option<Format>,
    /// Kept with the session for its [writer](BackendWriter::replaces).
    pub replaces: Option<SessionId>,
}

/// The one writer of a session. Dropping it ends that.
pub trait BackendWriter: fmt::Debug + Send {
    /// Makes `data` the newest checkpoint, durable when it returns.
    fn save(&mut self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo>;

    /// Makes what a source gives, up to its end, the newest checkpoint, durable when it returns. The
    /// source may give more than memory holds. [`Error::Input`] if it fails; then nothing is saved.
    fn save_from(&mut self, source: &mut dyn Read, options: &SaveOptions)
    -> Result<CheckpointInfo>;

    /// The session that this one replaces with its first checkpoint, if that is still to be done.
    fn replaces(&self) -> Option<&SessionId>;

    /// Notes that the session of [`replaces`](Self::replaces) was replaced.
    fn set_replaced(&mut self) -> Result<()>;

    /// The state in which this writer found the session's program.
    fn found(&self) -> ProgramState {
        ProgramState::Idle
    }

    /// Records how the session's program ended, durably, until the next writer comes. Nothing is saved
    /// afterwards.
    fn finish(&mut self, end: ProgramEnd) -> Result<()>;
}

/// Loads every revision of a session.
pub(crate) fn verify_by_loading<B: Backend + ?Sized>(
    backend: &B,
    id: &SessionId,
) -> Result<Verification> {
    let format = match backend.status(id) {
        Ok(status) => status.summary.format,
        // Its newest revision is lost, so that it keeps some.
        Err(Error::Corrupt { .. }) => Format::Journal,
        Err(error) => return Err(error),
    };
    let (findings, id) = (Vec::new(), id.clone());
    let revisions = match backend.history(&id) {
        Ok(history) => {
            let kept = history.revisions.into_iter().map(|it| (it.info.revision, Some(it.info)));
            let lost = history.damaged.into_iter().map(|revision| (revision, None));
            let mut all: Vec<_> = kept.chain(lost).collect();
            all.sort_by_key(|(revision, _)| std::cmp::Reverse(revision.number()));
            let load = |(revision, info)| match read(backend, &id, Some(revision)) {
                // It was given up while we looked.
                Err(Error::NoRevision { .. }) => None,
                outcome => Some(Verified { revision, info, error: outcome.err() }),
            };
            all.into_iter().filter_map(load).collect()
        }
        Err(Error::Unsupported { .. }) => match read(backend, &id, None) {
            Ok(info) => {
                vec![Verified { revision: info.revision, info: Some(info), error: None }]
            }
            Err(Error::NoCheckpoint { .. }) => Vec::new(),
            Err(error @ Error::NotFound { .. }) => return Err(error),
            Err(error) => {
                vec![Verified { revision: Revision::NONE, info: None, error: Some(error) }]
            }
        },
        Err(error @ Error::Corrupt { .. }) => {
            vec![Verified { revision: Revision::NONE, info: None, error: Some(error) }]
        }
        Err(error) => return Err(error),
    };
    Ok(Verification { id, format, revisions, findings })
}

/// Opening it has its digest checked; what is too large for memory is not taken there.
fn read<B: Backend + ?Sized>(
    backend: &B,
    id: &SessionId,
    revision: Option<Revision>,
) -> Result<CheckpointInfo> {
    Ok(backend.open(id, revision.into())?.info().clone())
}
