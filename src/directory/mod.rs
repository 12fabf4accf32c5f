//! A repository that is a directory, and sessions that are directories in it.

mod aside;
mod convert;
mod create;
mod journal;
mod last;
mod list;
mod lock;
mod names;
mod open;
mod pieces;
mod plain;
mod remove;
mod root;
mod sweep;
mod trash;
mod usage;
mod verify;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::{
    Backend, BackendWriter, Finding, Format, GivenUp, History, Listing, Maintenance, NewSession,
    Removal, Status, Sweep, Trashed, Unlocked, Usage, Verification, WriterState,
};
use crate::checkpoint::CheckpointInfo;
use crate::error::{Error, LocationProblem, Operation, Result};
use crate::files::Files;
use crate::id::SessionId;
use crate::revision::{At, Revision};
use crate::stream::{Buffer, CheckpointReader};
use crate::sys::{Directory, Disk, Os};
use journal::JournalWriter;
use plain::{PlainWriter, leftover};
use root::Root;
use writer::{DirectoryWriter, FormatWriter};

/// A repository that is a directory on a local disk, in PlainBox's layout:
/// `<id>.session/session` is the newest checkpoint of a session, `<id>.session/session.next` its
/// lock in PlainBox's protocol, `last-session` a link to the last session.
///
/// Names that begin with `session` in a session's directory are Pitstop's and PlainBox's; all others
/// are free for the program's own files.
#[derive(Debug)]
pub struct DirectoryBackend {
    root: Root,
}

impl DirectoryBackend {
    /// The repository at this path. It is made, with the directories above it, when the first session
    /// is; the path is made absolute now.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] if the path is empty or there is something else than a directory.
    pub fn open(location: impl AsRef<Path>) -> Result<Self> {
        Self::on_disk(location.as_ref(), Arc::new(Os))
    }

    pub(crate) fn on_disk(location: &Path, disk: Arc<dyn Disk>) -> Result<Self> {
        Ok(Self { root: Root::new(location, disk)? })
    }

    /// The repository around a session's directory, and the session.
    pub(crate) fn around(session: &Path) -> Result<(Self, SessionId)> {
        let invalid = |problem| Error::InvalidLocation { location: session.to_owned(), problem };
        let session = std::path::absolute(session).map_err(|_| invalid(LocationProblem::Empty))?;
        match (session.parent(), session.file_name()) {
            (Some(repository), Some(name)) => {
                Ok((Self::open(repository)?, names::in_directory(name)?))
            }
            _ => Err(invalid(LocationProblem::NoName)),
        }
    }

    fn repository(&self) -> Result<Option<Directory>> {
        self.root.open()
    }
}

/// There is no such revision, or none at all.
fn not_kept(id: &SessionId, at: At) -> Error {
    match at {
        At::Revision(revision) => Error::NoRevision { id: id.clone(), revision },
        At::Newest => Error::NoCheckpoint { id: id.clone() },
    }
}

impl Backend for DirectoryBackend {
    fn location(&self) -> &Path {
        self.root.location()
    }

    fn create(&self, id: &SessionId, new: &NewSession) -> Result<()> {
        create::create(&self.root, id, new)
    }

    fn list(&self) -> Result<Listing> {
        match self.repository()? {
            Some(repository) => list::list(&repository),
            None => Ok(Listing::default()),
        }
    }

    fn status(&self, id: &SessionId) -> Result<Status> {
        let session = self.root.session(id)?;
        let summary = list::summarize(&session.dir, id);
        if !matches!(&summary, Ok(summary) if summary.saved.is_some()) {
            session.require_current()?;
        }
        let mut summary = summary?;
        let writer = match lock::holder(&session.dir)? {
            WriterState::Live(owner) => WriterState::Live(owner),
            _ if leftover::is_foreign(&session.dir)? => {
                leftover::state(&session.dir, session.disk())?
            }
            state => state,
        };
        summary.state = Some(writer.program());
        let created = session.dir.own_dated()?.created;
        Ok(Status { summary, created, writer })
    }

    fn load_into(&self, id: &SessionId, at: At, buffer: &mut dyn Buffer) -> Result<CheckpointInfo> {
        let session = self.root.session(id)?;
        let loaded = session.with_stable_format(|format| match (format, at) {
            (Format::Journal, at) => journal::load_into(&session.dir, at, buffer),
            (_, At::Newest) => plain::load_into(&session.dir, buffer),
            (_, At::Revision(_)) => Err(plain::unsupported(Operation::OlderRevision, id)),
        })?;
        loaded.ok_or_else(|| not_kept(id, at))
    }

    fn open(&self, id: &SessionId, at: At) -> Result<CheckpointReader> {
        let session = self.root.session(id)?;
        let opened = session.with_stable_format(|format| match (format, at) {
            (Format::Journal, at) => journal::open(&session.dir, at),
            (_, At::Newest) => plain::open(&session.dir),
            (_, At::Revision(_)) => Err(plain::unsupported(Operation::OlderRevision, id)),
        })?;
        opened.ok_or_else(|| not_kept(id, at))
    }

    fn history(&self, id: &SessionId) -> Result<History> {
        let session = self.root.session(id)?;
        let history = session.with_stable_format(|format| match format {
            Format::Journal => {
                let tells = |it: &History| {
                    !it.revisions.is_empty() || !it.damaged.is_empty() || it.may_lack_newer
                };
                journal::history(&session.dir).map(|it| Some(it).filter(tells))
            }
            _ => Err(plain::unsupported(Operation::History, id)),
        })?;
        Ok(history.unwrap_or_default())
    }

    fn writer(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>> {
        let session = self.root.session(id)?;
        let lock = session.lock()?;
        let (dir, disk) = (session.dir.clone(), self.root.disk().clone());
        let writer = match session.marker()? {
            Some(marker) => {
                convert::finish(&dir, &marker)?;
                FormatWriter::Journal(JournalWriter::open(dir, id.clone(), disk)?)
            }
            None => {
                open::require_marker(&dir)?;
                leftover::clear(&dir, id, &*disk)?;
                FormatWriter::Plain(PlainWriter::new(dir, id.clone(), disk))
            }
        };
        Ok(Box::new(DirectoryWriter::new(session.dir, lock, writer)?))
    }

    fn remove(&self, id: &SessionId) -> Result<Removal> {
        remove::remove(&self.root.session(id)?)
    }

    fn verify(&self, id: &SessionId) -> Result<Verification> {
        verify::verify(self, &self.root.session(id)?)
    }

    fn last(&self) -> Result<Option<SessionId>> {
        match self.repository()? {
            Some(repository) => last::last(&repository),
            None => Ok(None),
        }
    }

    fn set_last(&self, id: &SessionId) -> Result<()> {
        last::set_last(&self.root.session(id)?.repository, id)
    }

    fn directory(&self, id: &SessionId) -> Option<PathBuf> {
        Some(self.location().join(names::session(id)))
    }

    fn files(&self, id: &SessionId) -> Result<Option<Files>> {
        Ok(Some(Files::new(self.root.session(id)?.dir)))
    }

    fn maintenance(&self) -> Option<&dyn Maintenance> {
        Some(self)
    }
}

impl Maintenance for DirectoryBackend {
    fn unlock(&self, id: &SessionId) -> Result<Unlocked> {
        let session = self.root.session(id)?;
        let _lock = session.lock()?;
        leftover::clear_by_hand(&session.dir, id, session.disk())
    }

    fn verify_layout(&self) -> Result<Vec<Finding>> {
        match self.repository()? {
            Some(repository) => verify::place(&repository),
            None => Ok(Vec::new()),
        }
    }

    fn repair_layout(&self, id: Option<&SessionId>) -> Result<()> {
        match (id, self.repository()?) {
            (Some(id), _) => verify::move_misplaced(&self.root.session(id)?),
            (None, Some(repository)) => verify::move_last(&repository),
            (None, None) => Ok(()),
        }
    }

    fn usage(&self, id: &SessionId) -> Result<Usage> {
        let session = self.root.session(id)?;
        let usage = usage::usage(&session.dir)?;
        session.require_current()?;
        Ok(usage)
    }

    fn trash(&self, id: &SessionId) -> Result<Trashed> {
        trash::trash(&self.root.session(id)?)
    }

    fn trashed(&self) -> Result<Vec<Trashed>> {
        match self.repository()? {
            Some(repository) => trash::trashed(&repository),
            None => Ok(Vec::new()),
        }
    }

    fn restore_trashed(&self, trashed: &Trashed, id: &SessionId) -> Result<()> {
        let repository = self.repository()?.ok_or_else(|| self.root.not_found(&trashed.id))?;
        trash::restore(&repository, trashed, id)
    }

    fn delete_trashed(&self, trashed: &Trashed) -> Result<Removal> {
        let repository = self.repository()?.ok_or_else(|| self.root.not_found(&trashed.id))?;
        trash::delete(&repository, trashed)
    }

    fn sweep(&self, dry_run: bool) -> Result<Sweep> {
        match self.repository()? {
            Some(repository) => sweep::sweep(&repository, &**self.root.disk(), dry_run),
            None => Ok(Sweep::default()),
        }
    }

    fn discard_before(&self, id: &SessionId, before: Revision, dry_run: bool) -> Result<GivenUp> {
        let session = self.root.session(id)?;
        if dry_run && open::format(&session.dir)? == Format::Journal {
            return journal::would_give_up(&session.dir, before);
        }
        let _lock = session.lock()?;
        match session.marker()? {
            Some(marker) => {
                convert::finish(&session.dir, &marker)?;
                journal::give_up(&session.dir, before)
            }
            None => Err(plain::unsupported(Operation::History, id)),
        }
    }

    fn convert(&self, id: &SessionId, to: Format, lose_history: bool) -> Result<()> {
        convert::convert(&self.root.session(id)?, to, lose_history)
    }
}
