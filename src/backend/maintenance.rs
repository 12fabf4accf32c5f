//! What operators need: the trash, the usage, repairs.

use crate::backend::{Backend, Finding, GivenUp, Removal, Sweep, Trashed, Unlocked, Usage};
use crate::error::{Error, Operation, Result, Subject};
use crate::format::Format;
use crate::id::SessionId;
use crate::revision::Revision;

/// What a backend can do beside saving and loading. A method that is not implemented fails with
/// [`Error::Unsupported`].
pub trait Maintenance: Backend {
    /// Clears what a dead writer left, and fails with [`Error::Busy`] while the writer lives.
    fn unlock(&self, id: &SessionId) -> Result<Unlocked> {
        let _ = id;
        Err(unsupported(self, Operation::Unlock))
    }

    /// Lists what there is in the repository beside sessions, where there is something to say.
    fn verify_layout(&self) -> Result<Vec<Finding>> {
        Err(unsupported(self, Operation::Layout))
    }

    /// Moves aside what [`verify`](Backend::verify) found to be in the way in a session or, for `None`,
    /// what [`verify_layout`](Self::verify_layout) found beside the sessions. Deletes nothing.
    fn repair_layout(&self, id: Option<&SessionId>) -> Result<()> {
        let _ = id;
        Err(unsupported(self, Operation::Layout))
    }

    /// Returns the storage that a session takes, whoever writes it.
    fn usage(&self, id: &SessionId) -> Result<Usage> {
        let _ = id;
        Err(unsupported(self, Operation::Usage))
    }

    /// Puts a session that has no live writer into the trash, in one step.
    fn trash(&self, id: &SessionId) -> Result<Trashed> {
        let _ = id;
        Err(unsupported(self, Operation::Trash))
    }

    /// Lists the trash, in no order.
    fn trashed(&self) -> Result<Vec<Trashed>> {
        Err(unsupported(self, Operation::Trash))
    }

    /// Takes a session out of the trash, under this name, which must be free.
    fn restore_trashed(&self, trashed: &Trashed, id: &SessionId) -> Result<()> {
        let _ = (trashed, id);
        Err(unsupported(self, Operation::Trash))
    }

    /// Deletes a session that is in the trash. The session is gone from there at once and whole.
    fn delete_trashed(&self, trashed: &Trashed) -> Result<Removal> {
        let _ = trashed;
        Err(unsupported(self, Operation::Trash))
    }

    /// Deletes what killed processes left in the repository and no live process needs; a dry run only lists
    /// that.
    fn sweep(&self, dry_run: bool) -> Result<Sweep> {
        let _ = dry_run;
        Err(unsupported(self, Operation::Sweep))
    }

    /// Discards the revisions before this one, which is kept, while the session has no writer, and deletes
    /// what was needed for them alone; a dry run only measures that.
    fn discard_before(&self, id: &SessionId, before: Revision, dry_run: bool) -> Result<GivenUp> {
        let _ = (id, before, dry_run);
        Err(unsupported(self, Operation::History))
    }

    /// Converts a session to another format, while the session has no writer. A history that would be lost
    /// is an error unless `lose_history` is set.
    fn convert(&self, id: &SessionId, to: Format, lose_history: bool) -> Result<()> {
        let _ = lose_history;
        match self.status(id)?.summary.format == to {
            true => Ok(()),
            false => Err(unsupported(self, Operation::Format(to))),
        }
    }
}

/// The maintenance of a backend that is to do this.
pub(crate) fn maintenance(backend: &dyn Backend, to: Operation) -> Result<&dyn Maintenance> {
    backend.maintenance().ok_or_else(|| unsupported(backend, to))
}

fn unsupported<B: Backend + ?Sized>(backend: &B, operation: Operation) -> Error {
    Error::Unsupported { operation, subject: Subject::Repository(backend.location().to_owned()) }
}
