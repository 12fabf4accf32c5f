//! A repository that is a directory, and sessions that are directories in it.

mod convert;
mod create;
mod journal;
mod last;
mod list;
mod lock;
mod names;
mod pieces;
mod plain;
mod remove;
mod sweep;
mod trash;
mod usage;
mod verify;
mod writer;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::backend::{
    Backend, BackendWriter, Format, GivenUp, History, Listing, NewSession, Removal, Status, Sweep,
    Trashed, Unlocked, Usage, WriterState,
};
use crate::backend::{Finding, Verification};
use crate::checkpoint::{Checkpoint, CheckpointInfo};
use crate::error::{Error, Result};
use crate::files::Files;
use crate::id::SessionId;
use crate::revision::Revision;
use crate::stream::{Buffer, CheckpointReader};
use crate::sys::{Directory, Disk, Os, Outcome, found};
use journal::JournalWriter;
use lock::WriterLock;
use plain::{PlainWriter, leftover};
use writer::{DirectoryWriter, FormatWriter};

/// A repository that is a directory on a local disk, in PlainBox's layout:
/// `<id>.session/session` is the newest checkpoint of a session, `<id>.session/session.next` its
/// lock in PlainBox's protocol, `last-session` a link to the last session.
///
/// Names that begin with `session` in a session's directory are Pitstop's and PlainBox's; all others
/// are free for the program's own files.
#[derive(Debug)]
pub struct DirectoryBackend {
    location: PathBuf,
    disk: Arc<dyn Disk>,
    /// Set once the directories above the repository are known to be durable.
    way_is_durable: OnceLock<()>,
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
        let invalid = |problem| Error::InvalidLocation { location: location.to_owned(), problem };
        let absolute = std::path::absolute(location).map_err(|_| invalid("its path is empty"))?;
        if absolute.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(invalid("its path has a NUL in it"));
        }
        let backend = Self { location: absolute, disk, way_is_durable: OnceLock::new() };
        backend.repository()?;
        Ok(backend)
    }

    /// The repository around a session's directory, and the session.
    pub(crate) fn around(session: &Path) -> Result<(Self, SessionId)> {
        let invalid = |problem| Error::InvalidLocation { location: session.to_owned(), problem };
        let session = std::path::absolute(session).map_err(|_| invalid("its path is empty"))?;
        match (session.parent(), session.file_name()) {
            (Some(repository), Some(name)) => {
                Ok((Self::open(repository)?, names::in_directory(name)?))
            }
            _ => Err(invalid("its path ends in no name")),
        }
    }

    /// The open repository; `None` if there is none yet.
    fn repository(&self) -> Result<Option<Directory>> {
        match found(Directory::open(&*self.disk, &self.location)) {
            Err(failure) if failure.kind() == ErrorKind::NotADirectory => {
                Err(Error::InvalidLocation {
                    location: self.location.clone(),
                    problem: "it, or something on the way to it, is not a directory",
                })
            }
            outcome => Ok(outcome?),
        }
    }

    /// The open directories of the repository and of a session in it.
    fn session(&self, id: &SessionId) -> Result<(Directory, Directory)> {
        let not_found = || self.not_found(id);
        let repository = self.repository()?.ok_or_else(not_found)?;
        let session = open_session(&repository, &names::session(id))?.ok_or_else(not_found)?;
        Ok((repository, session))
    }

    /// Says that a session is gone, where it only seems to be empty or damaged because it is being
    /// removed.
    fn unless_gone<T>(
        &self,
        repository: &Directory,
        session: &Directory,
        id: &SessionId,
        loaded: Result<Option<T>>,
    ) -> Result<Option<T>> {
        match loaded {
            Ok(None) | Err(Error::Corrupt { .. }) if !still_there(repository, session, id)? => {
                Err(self.not_found(id))
            }
            loaded => loaded,
        }
    }

    fn not_found(&self, id: &SessionId) -> Error {
        Error::NotFound { id: id.clone(), repository: self.location.clone() }
    }
}

/// There is no such revision, or none at all.
fn not_kept(id: &SessionId, revision: Option<Revision>) -> Error {
    match revision {
        Some(revision) => Error::NoRevision { id: id.clone(), revision },
        None => Error::NoCheckpoint { id: id.clone() },
    }
}

/// Whether this open directory still is the session of that name: not one that was removed after it
/// was opened, whose files go one after the other.
fn still_there(repository: &Directory, session: &Directory, id: &SessionId) -> Outcome<bool> {
    let here = session.own_identity()?;
    Ok(repository.identity(names::session(id))?.is_some_and(|it| it.is_same_file(&here)))
}

/// Opens a session's directory. A link is never followed, and is damage.
fn open_session(repository: &Directory, name: &str) -> Result<Option<Directory>> {
    match found(repository.open_directory(name)) {
        Ok(session) => Ok(session),
        Err(failure) => match repository.metadata(name)? {
            Some(there) if there.kind != crate::sys::Kind::Directory => Err(Error::Corrupt {
                place: failure.place,
                problem: format!("it is {}, where a directory belongs", there.kind.name()),
                newest_good: None,
            }),
            _ => Err(failure.into()),
        },
    }
}

impl Backend for DirectoryBackend {
    fn location(&self) -> &Path {
        &self.location
    }

    fn create(&self, id: &SessionId, new: &NewSession) -> Result<()> {
        create::create(self, id, new)
    }

    fn list(&self) -> Result<Listing> {
        match self.repository()? {
            Some(repository) => list::list(&repository),
            None => Ok(Listing::default()),
        }
    }

    fn status(&self, id: &SessionId) -> Result<Status> {
        let (repository, session) = self.session(id)?;
        let summary = list::summarize(&session, id);
        let is_saved = matches!(&summary, Ok(summary) if summary.saved.is_some());
        if !is_saved && !still_there(&repository, &session, id)? {
            return Err(self.not_found(id));
        }
        let summary = summary?;
        let writer = match lock::holder(&session)? {
            WriterState::Idle | WriterState::Interrupted(_) if leftover::is_foreign(&session)? => {
                leftover::state(&session, &*self.disk)?
            }
            state => state,
        };
        let created = session.own_dated()?.created;
        Ok(Status { summary, created, writer })
    }

    fn load(&self, id: &SessionId) -> Result<Checkpoint> {
        let (repository, session) = self.session(id)?;
        let loaded = in_its_format(&session, |format| match format {
            Format::Journal => journal::load(&session),
            _ => plain::load(&session),
        });
        let loaded = self.unless_gone(&repository, &session, id, loaded)?;
        loaded.ok_or_else(|| Error::NoCheckpoint { id: id.clone() })
    }

    fn load_revision(&self, id: &SessionId, revision: Revision) -> Result<Checkpoint> {
        let (repository, session) = self.session(id)?;
        let loaded = in_its_format(&session, |format| match format {
            Format::Journal => journal::load_revision(&session, revision),
            _ => Err(plain::unsupported("an older revision", id)),
        });
        let loaded = self.unless_gone(&repository, &session, id, loaded)?;
        loaded.ok_or_else(|| Error::NoRevision { id: id.clone(), revision })
    }

    fn load_into(
        &self,
        id: &SessionId,
        revision: Option<Revision>,
        buffer: &mut dyn Buffer,
    ) -> Result<CheckpointInfo> {
        let (repository, session) = self.session(id)?;
        let loaded = in_its_format(&session, |format| match (format, revision) {
            (Format::Journal, revision) => journal::load_into(&session, revision, buffer),
            (_, None) => plain::load_into(&session, buffer),
            (_, Some(_)) => Err(plain::unsupported("an older revision", id)),
        });
        let loaded = self.unless_gone(&repository, &session, id, loaded)?;
        loaded.ok_or_else(|| not_kept(id, revision))
    }

    fn open_checkpoint(
        &self,
        id: &SessionId,
        revision: Option<Revision>,
    ) -> Result<CheckpointReader> {
        let (repository, session) = self.session(id)?;
        let opened = in_its_format(&session, |format| match (format, revision) {
            (Format::Journal, None) => journal::open(&session),
            (Format::Journal, Some(revision)) => journal::open_revision(&session, revision),
            (_, None) => plain::open(&session),
            (_, Some(_)) => Err(plain::unsupported("an older revision", id)),
        });
        let opened = self.unless_gone(&repository, &session, id, opened)?;
        opened.ok_or_else(|| not_kept(id, revision))
    }

    fn history(&self, id: &SessionId) -> Result<History> {
        let (_, session) = self.session(id)?;
        let history = in_its_format(&session, |format| match format {
            Format::Journal => {
                let tells = |it: &History| {
                    !it.revisions.is_empty() || !it.damaged.is_empty() || it.may_lack_newer
                };
                journal::history(&session).map(|it| Some(it).filter(tells))
            }
            _ => Err(plain::unsupported("a history", id)),
        })?;
        Ok(history.unwrap_or_default())
    }

    fn writer(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>> {
        let (repository, session) = self.session(id)?;
        let lock = WriterLock::take(self, &repository, &session, id)?;
        let (here, disk) = (session.clone(), self.disk.clone());
        let writer = match journal::marker(&session)? {
            Some(marker) => {
                convert::finish(&session, &marker)?;
                FormatWriter::Journal(JournalWriter::open(here, id.clone(), disk)?)
            }
            None => {
                check_mark(&session)?;
                leftover::clear(&session, id, &*self.disk)?;
                FormatWriter::Plain(PlainWriter::new(here, id.clone(), disk))
            }
        };
        Ok(Box::new(DirectoryWriter::new(session, lock, writer)?))
    }

    fn unlock(&self, id: &SessionId) -> Result<Unlocked> {
        let (repository, session) = self.session(id)?;
        let _lock = WriterLock::take(self, &repository, &session, id)?;
        leftover::clear_by_hand(&session, id, &*self.disk)
    }

    fn remove(&self, id: &SessionId) -> Result<Removal> {
        remove::remove(self, id)
    }

    fn verify(&self, id: &SessionId) -> Result<Verification> {
        verify::verify(self, id)
    }

    fn move_misplaced(&self, id: Option<&SessionId>) -> Result<()> {
        match (id, self.repository()?) {
            (Some(id), _) => verify::move_misplaced(self, id),
            (None, Some(repository)) => verify::move_last(&repository),
            (None, None) => Ok(()),
        }
    }

    fn findings(&self) -> Result<Vec<Finding>> {
        match self.repository()? {
            Some(repository) => verify::place(&repository),
            None => Ok(Vec::new()),
        }
    }

    fn usage(&self, id: &SessionId) -> Result<Usage> {
        let (repository, session) = self.session(id)?;
        let usage = usage::usage(&session)?;
        match still_there(&repository, &session, id)? {
            true => Ok(usage),
            false => Err(self.not_found(id)),
        }
    }

    fn trash(&self, id: &SessionId) -> Result<Trashed> {
        trash::trash(self, id)
    }

    fn trashed(&self) -> Result<Vec<Trashed>> {
        match self.repository()? {
            Some(repository) => trash::trashed(&repository),
            None => Ok(Vec::new()),
        }
    }

    fn restore_trashed(&self, trashed: &Trashed, id: &SessionId) -> Result<()> {
        let repository = self.repository()?.ok_or_else(|| self.not_found(&trashed.id))?;
        trash::restore(&repository, trashed, id)
    }

    fn delete_trashed(&self, trashed: &Trashed) -> Result<Removal> {
        let repository = self.repository()?.ok_or_else(|| self.not_found(&trashed.id))?;
        trash::delete(&repository, trashed)
    }

    fn sweep(&self, dry_run: bool) -> Result<Sweep> {
        match self.repository()? {
            Some(repository) => sweep::sweep(&repository, &*self.disk, dry_run),
            None => Ok(Sweep::default()),
        }
    }

    fn last(&self) -> Result<Option<SessionId>> {
        match self.repository()? {
            Some(repository) => last::last(&repository),
            None => Ok(None),
        }
    }

    fn set_last(&self, id: &SessionId) -> Result<()> {
        let (repository, _) = self.session(id)?;
        last::set_last(&repository, id)
    }

    fn directory(&self, id: &SessionId) -> Option<PathBuf> {
        Some(self.location.join(names::session(id)))
    }

    fn convert(&self, id: &SessionId, to: Format, lose_history: bool) -> Result<()> {
        convert::convert(self, id, to, lose_history)
    }

    fn give_up(&self, id: &SessionId, before: Revision, dry_run: bool) -> Result<GivenUp> {
        let (repository, session) = self.session(id)?;
        if dry_run && format(&session)? == Format::Journal {
            return journal::would_give_up(&session, before);
        }
        let _lock = WriterLock::take(self, &repository, &session, id)?;
        match journal::marker(&session)? {
            Some(marker) => {
                convert::finish(&session, &marker)?;
                journal::give_up(&session, before)
            }
            None => Err(plain::unsupported("a history", id)),
        }
    }

    fn files(&self, id: &SessionId) -> Result<Option<Files>> {
        let (_, session) = self.session(id)?;
        Ok(Some(Files::new(session)))
    }
}

/// How a session keeps its checkpoints, by what is in its directory.
fn format(session: &Directory) -> Result<Format> {
    Ok(if journal::is_there(session)? { Format::Journal } else { Format::Plain })
}

/// Looks again if the session was converted meanwhile. Of a journal that becomes plain, older segments may be
/// left when the newest is gone, and seem to be all.
fn in_its_format<T>(
    session: &Directory,
    mut look: impl FnMut(Format) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let mut marker = journal::marker(session)?;
    loop {
        let format = if marker.is_some() { Format::Journal } else { Format::Plain };
        let outcome = look(format);
        if format == Format::Plain && matches!(outcome, Ok(Some(_))) {
            return outcome;
        }
        let now = journal::marker(session)?;
        let is_same = match (&marker, &now) {
            (Some(before), Some(now)) => before.is_same_file(now) && before.changed == now.changed,
            (before, now) => before.is_none() && now.is_none(),
        };
        if is_same {
            if format == Format::Plain && matches!(outcome, Ok(None)) {
                check_mark(session)?;
            }
            return outcome;
        }
        marker = now;
    }
}

/// Fails if what looks like a plain session without a checkpoint is a journal without the file that says so.
/// That is empty, and there are those who clear empty files away.
fn check_mark(session: &Directory) -> Result<()> {
    let is_lost = session.metadata(names::CHECKPOINT)?.is_none()
        && journal::is_saved(session)?
        && !journal::is_there(session)?;
    match is_lost {
        true => Err(Error::Corrupt {
            place: session.path().join(names::JOURNAL),
            problem:
                "it is missing, and the journal is not seen without it; a repair makes it anew"
                    .to_owned(),
            newest_good: None,
        }),
        false => Ok(()),
    }
}

/// Renames something that does not belong where it is to the first free name made of `name` and a
/// number, and flushes that: evidence is kept, not erased, also where something else gets its name next.
fn move_aside(directory: &Directory, from: &str, name: &str) -> Outcome<PathBuf> {
    let to = rename_aside(directory, from, name)?;
    if let Err(failure) = directory.sync() {
        // A later flush may not make up for it: the next one is of a rename made anew.
        let _ = directory.rename_new(&to, from);
        return Err(failure);
    }
    Ok(directory.path().join(to))
}

/// The same, not flushed. Gives the new name.
fn rename_aside(directory: &Directory, from: &str, name: &str) -> Outcome<String> {
    let mut number = 1;
    loop {
        let to = format!("{name}-{number}");
        match directory.rename_new(from, &to) {
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => number += 1,
            outcome => return outcome.map(|()| to),
        }
    }
}
