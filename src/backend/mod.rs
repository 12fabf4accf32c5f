//! What a repository can do, whatever it is made of.

mod status;
mod usage;
mod verification;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::checkpoint::{Checkpoint, CheckpointInfo, SaveOptions};
use crate::error::{Error, Operation, Result, Subject};
use crate::files::Files;
use crate::id::SessionId;
use crate::revision::Revision;
use crate::stream::{Buffer, CheckpointReader, copy_into};

pub use status::{Format, History, Kept, Listing, Problem, Status, Summary, Unlocked, WriterState};
pub use usage::{GivenUp, Leftover, Removal, Sweep, Trashed, Usage};
pub use verification::{Finding, RepositoryVerification, Severity, Verification, Verified};

/// What a repository can do. [`Repository`](crate::Repository) is written once, over this.
///
/// An implementation keeps the promises of the README; the suite in `pitstop::conformance` (feature
/// `conformance`) checks it. Every method that changes something is durable when it returns `Ok`.
pub trait Backend: fmt::Debug + Send + Sync {
    /// Where the repository is: a path or a URL.
    fn location(&self) -> &Path;

    /// Makes an empty session, and the repository where there is none. Of two that make the same
    /// one, exactly one succeeds; the other gets [`Error::AlreadyExists`].
    fn create(&self, id: &SessionId, new: &NewSession) -> Result<()>;

    /// All sessions, in no order; none if there is no repository. What cannot be read is a
    /// [`Problem`] and hides nothing else.
    fn list(&self) -> Result<Listing>;

    /// The same, and of each session all that a [`Summary`] has, for which a backend may have to look into
    /// each.
    fn list_in_full(&self) -> Result<Listing> {
        self.list()
    }

    /// How a session stands, without reading its payload.
    fn status(&self, id: &SessionId) -> Result<Status>;

    /// The newest checkpoint.
    fn load(&self, id: &SessionId) -> Result<Checkpoint>;

    /// A revision that is kept; [`Error::NoRevision`] if it is not.
    fn load_revision(&self, id: &SessionId, revision: Revision) -> Result<Checkpoint>;

    /// The newest checkpoint, or a revision that is kept, into memory of the caller's. Fails as
    /// [`load`](Self::load) and [`load_revision`](Self::load_revision) do.
    fn load_into(
        &self,
        id: &SessionId,
        revision: Option<Revision>,
        buffer: &mut dyn Buffer,
    ) -> Result<CheckpointInfo> {
        let checkpoint = match revision {
            Some(revision) => self.load_revision(id, revision)?,
            None => self.load(id)?,
        };
        copy_into(buffer, &checkpoint.data)?;
        Ok(checkpoint.info)
    }

    /// The newest checkpoint, or a revision that is kept, to be read in pieces. It is checked before
    /// this returns. Fails as [`load`](Self::load) and [`load_revision`](Self::load_revision) do.
    fn open_checkpoint(
        &self,
        id: &SessionId,
        revision: Option<Revision>,
    ) -> Result<CheckpointReader>;

    /// The revisions that are kept, without reading their payloads.
    fn history(&self, id: &SessionId) -> Result<History>;

    /// Becomes the one writer of a session until the result is dropped.
    fn writer(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>>;

    /// Becomes the one writer for a single save, which a backend may make cheaper than a place that is kept.
    fn writer_for_one_save(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>> {
        self.writer(id)
    }

    /// Clears what a dead writer left, and refuses with [`Error::Busy`] while it lives.
    fn unlock(&self, id: &SessionId) -> Result<Unlocked>;

    /// Removes a session that has no live writer. It is gone at once and whole; what of its files
    /// could not be deleted is reported.
    fn remove(&self, id: &SessionId) -> Result<Removal>;

    /// Reads all that a session keeps, and says what of it can be loaded.
    fn verify(&self, id: &SessionId) -> Result<Verification> {
        verify_by_loading(self, id)
    }

    /// What there is in the repository beside sessions, where there is something to say.
    fn findings(&self) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    /// Moves aside what [`verify`](Self::verify) found to be in the way in a session or, for `None`,
    /// what [`findings`](Self::findings) found beside them. Deletes nothing.
    fn move_misplaced(&self, id: Option<&SessionId>) -> Result<()> {
        let _ = id;
        Ok(())
    }

    /// What a session takes, whoever writes it.
    fn usage(&self, id: &SessionId) -> Result<Usage>;

    /// Puts a session that has no live writer into the trash, in one step.
    fn trash(&self, id: &SessionId) -> Result<Trashed>;

    /// What is in the trash, in no order.
    fn trashed(&self) -> Result<Vec<Trashed>>;

    /// Takes a session out of the trash, under this name, which must be free.
    fn restore_trashed(&self, trashed: &Trashed, id: &SessionId) -> Result<()>;

    /// Deletes a session that is in the trash. It is gone from there at once and whole.
    fn delete_trashed(&self, trashed: &Trashed) -> Result<Removal>;

    /// Deletes what killed processes left in the repository and no live one needs, or only says
    /// what that is. A backend on which nothing is ever left has nothing to do.
    fn sweep(&self, dry_run: bool) -> Result<Sweep> {
        let _ = dry_run;
        Ok(Sweep::default())
    }

    /// The last session, if one was made so and is there. It is known by its name: one that is made
    /// anew under that name, after a removal, is the last session again.
    fn last(&self) -> Result<Option<SessionId>>;

    /// Makes a session the last one.
    fn set_last(&self, id: &SessionId) -> Result<()>;

    /// Gives up the revisions before this one, which is kept, while the session has no writer, and deletes
    /// what was needed for them alone; or only says how much that is.
    fn give_up(&self, id: &SessionId, before: Revision, dry_run: bool) -> Result<GivenUp>;

    /// The directory in which a session may keep files of its own, where there is one.
    fn directory(&self, id: &SessionId) -> Option<PathBuf>;

    /// Makes a session keep its checkpoints in another format, if there is one, while it has no writer.
    fn convert(&self, id: &SessionId, to: Format, lose_history: bool) -> Result<()> {
        let _ = lose_history;
        match self.status(id)?.summary.format == to {
            true => Ok(()),
            false => Err(Error::Unsupported {
                operation: Operation::Format(to),
                subject: Subject::Repository(self.location().to_owned()),
            }),
        }
    }

    /// The program's own files in that directory, to be copied; `None` where there is none.
    fn files(&self, id: &SessionId) -> Result<Option<Files>> {
        let _ = id;
        Ok(None)
    }
}

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
    Ok(backend.open_checkpoint(id, revision)?.info().clone())
}
