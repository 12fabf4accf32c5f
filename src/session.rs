use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::backend::{
    Backend, BackendWriter, Format, History, Maintenance, Removal, Status, Trashed, Unlocked,
    Usage, WriterState, maintenance,
};
use crate::borrow::{self, borrow};
use crate::checkpoint::{Checkpoint, CheckpointInfo, Retention, SaveOptions};
use crate::directory::DirectoryBackend;
use crate::error::{Error, Operation, Result};
use crate::id::SessionId;
use crate::program::{ProgramEnd, ProgramState};
use crate::revision::{At, Revision};
use crate::stream::{Buffer, CheckpointReader, Input, of_input};
use crate::sys::Process;

/// A named thing in a repository that holds a program's checkpoints.
///
/// It is a name, not an open file: it can be cloned, kept and sent to other threads, and it notices
/// at the next call that the session was removed.
#[derive(Clone)]
pub struct Session {
    pub(crate) backend: Arc<dyn Backend>,
    id: SessionId,
}

impl Session {
    pub(crate) fn new(backend: Arc<dyn Backend>, id: SessionId) -> Self {
        Self { backend, id }
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// The maintenance of its backend. A session that is gone is not found, whatever the backend can do.
    pub(crate) fn maintenance(&self, to: Operation) -> Result<&dyn Maintenance> {
        if self.backend.maintenance().is_none() {
            self.backend.status(&self.id)?;
        }
        maintenance(&*self.backend, to)
    }

    /// The session in this directory, wherever it is and whatever that is called: PlainBox allows any
    /// name. It need not exist; its next call tells. Its [`id`](Self::id) is the one that it has in the
    /// repository around it or, if no session there is called so, the directory's name and a slash.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] if the path ends in no name, [`Error::InvalidId`] if that is not UTF-8.
    pub fn in_directory(directory: impl AsRef<Path>) -> Result<Self> {
        let (backend, id) = DirectoryBackend::around(directory.as_ref())?;
        Ok(Self::new(Arc::new(backend), id))
    }

    /// Its name.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// The directory in which the program may keep files of its own, on a local disk. Names that begin
    /// with `session` are not free. It is removed with the session.
    pub fn location(&self) -> Option<PathBuf> {
        self.backend.directory(&self.id)
    }

    /// Where it is, for people.
    pub(crate) fn place(&self) -> PathBuf {
        self.location().unwrap_or_else(|| self.backend.location().join(self.id.as_str()))
    }

    /// The file that holds the newest checkpoint of a plain session, whether or not it was saved.
    pub fn session_file(&self) -> Option<PathBuf> {
        Some(self.location()?.join("session"))
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`] if nothing was ever saved, [`Error::NotFound`] if the session is gone,
    /// [`Error::Corrupt`] if what lies there is no checkpoint.
    pub fn load(&self) -> Result<Checkpoint> {
        self.backend.load(&self.id, At::Newest)
    }

    /// A revision that is kept: an older one, say, or the newest good one where [`load`](Self::load)
    /// found damage.
    ///
    /// # Errors
    /// [`Error::NoRevision`] if it is not kept, [`Error::Corrupt`] if it is damaged,
    /// [`Error::Unsupported`] in a plain session, which keeps the newest checkpoint alone.
    pub fn load_revision(&self, revision: Revision) -> Result<Checkpoint> {
        self.backend.load(&self.id, revision.into())
    }

    /// The newest checkpoint, or a revision that is kept, into memory of the caller's, where that has to be of
    /// a certain kind: it is read there and verified there, without a copy elsewhere.
    ///
    /// # Errors
    /// Those of [`load`](Self::load) and [`load_revision`](Self::load_revision), and the buffer's own.
    pub fn load_into(&self, at: impl Into<At>, buffer: &mut dyn Buffer) -> Result<CheckpointInfo> {
        self.backend.load_into(&self.id, at.into(), buffer)
    }

    /// The newest checkpoint, to be read in pieces: for one that is larger than memory. It is read once
    /// from beginning to end and checked before this returns, and checked again while it is read.
    ///
    /// Up to 8 MiB of it are in memory. A journal makes a checkpoint that it keeps as a delta in
    /// memory, whatever its size: but none that came by [`Writer::save_from`] and is larger than that.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn open_checkpoint(&self) -> Result<CheckpointReader> {
        self.backend.open(&self.id, At::Newest)
    }

    /// A revision that is kept, to be read in pieces, as [`open_checkpoint`](Self::open_checkpoint)
    /// does.
    ///
    /// # Errors
    /// Those of [`load_revision`](Self::load_revision).
    pub fn open_revision(&self, revision: Revision) -> Result<CheckpointReader> {
        self.backend.open(&self.id, revision.into())
    }

    /// The revisions that are kept, the newest first, without reading their payloads.
    ///
    /// # Errors
    /// [`Error::Unsupported`] in a plain session.
    pub fn history(&self) -> Result<History> {
        self.backend.history(&self.id)
    }

    /// Saves one checkpoint, and is the session's writer only for that long. A program that saves
    /// again and again keeps a [`Writer`] instead.
    ///
    /// # Durability
    /// `Ok` means: on stable storage, payload and every directory entry on the way to it.
    ///
    /// # Errors
    /// Those of [`writer`](Self::writer) and [`Writer::save`].
    pub fn save(&self, data: &[u8]) -> Result<CheckpointInfo> {
        self.save_with(data, &SaveOptions::new())
    }

    /// [`save`](Self::save) with conditions or labels.
    ///
    /// # Errors
    /// Those of [`writer`](Self::writer) and [`Writer::save_with`].
    pub fn save_with(&self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo> {
        self.borrow_or(|backend, id| backend.writer_for_one_save(id))?.save_with(data, options)
    }

    /// Makes an older revision the newest: its payload and its labels are saved again, as a new revision.
    /// None is given up for it.
    ///
    /// # Durability
    /// That of [`save`](Self::save).
    ///
    /// # Errors
    /// Those of [`writer`](Self::writer) and [`Writer::restore`].
    pub fn restore(&self, revision: Revision) -> Result<CheckpointInfo> {
        self.writer()?.restore(revision)
    }

    /// Saves what a source gives, up to its end, as [`Writer::save_from`] does. Nobody else is kept from
    /// writing before 8 MiB of it have come, or all.
    ///
    /// # Errors
    /// Those of [`writer`](Self::writer) and [`Writer::save_from`].
    pub fn save_from(&self, source: impl Read, options: &SaveOptions) -> Result<CheckpointInfo> {
        let input = Input::begin(source)?;
        let become_writer = |backend: &dyn Backend, id: &SessionId| backend.writer_for_one_save(id);
        self.borrow_or(become_writer)?.save_input(input, options)
    }

    /// Becomes the session's one writer, until the result is dropped or the process ends in any way.
    ///
    /// A process that is forked off afterwards inherits nothing of it: its copy fails with
    /// [`Error::Inherited`] and changes nothing, also where it is dropped. Fork first, and become the writer
    /// then.
    ///
    /// In a program that runs under a [`SharedWriter`](crate::SharedWriter) of this session, as its environment tells, that is
    /// what it saves through.
    ///
    /// # Errors
    /// [`Error::Busy`] with the owner's record if another writer lives; it is not disturbed.
    /// [`Error::Locked`] if PlainBox's `session.next` is there and not provably left over. One that is
    /// gets moved aside, to `session.aside-N`.
    pub fn writer(&self) -> Result<Writer> {
        self.borrow_or(|backend, id| backend.writer(id))
    }

    fn borrow_or(
        &self,
        become_writer: fn(&dyn Backend, &SessionId) -> Result<Box<dyn BackendWriter>>,
    ) -> Result<Writer> {
        let shared = std::env::var_os(borrow::VARIABLE);
        let inner = match borrow(shared.as_deref(), &self.backend, &self.id)? {
            Some(borrowed) => borrowed,
            None => become_writer(&*self.backend, &self.id)?,
        };
        Ok(Writer { session: self.clone(), process: Process::current(), inner: Some(inner) })
    }

    /// How it stands: when it was saved, how large that is, and whether somebody is writing. Neither
    /// reads the payload nor disturbs a writer.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the session is gone.
    pub fn status(&self) -> Result<Status> {
        self.backend.status(&self.id)
    }

    /// Clears a lock that PlainBox left, on a person's word. Nothing that Pitstop leaves behind ever
    /// needs this. What is cleared is kept, as `session.aside-N`.
    ///
    /// # Errors
    /// [`Error::Busy`] or [`Error::Locked`] while its holder is seen to live.
    pub fn unlock(&self) -> Result<Unlocked> {
        self.maintenance(Operation::Unlock)?.unlock(&self.id)
    }

    /// Makes this the session that [`Repository::last`](crate::Repository::last) offers to resume.
    /// At every moment there is one; durable when this returns.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the session is gone. [`Error::Indeterminate`] if it is the last session
    /// now, but may not be after a power cut.
    pub fn make_last(&self) -> Result<()> {
        self.backend.set_last(&self.id)
    }

    /// How much storage the session takes with every file in its directory, whoever writes it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the session is gone.
    pub fn usage(&self) -> Result<Usage> {
        self.maintenance(Operation::Usage)?.usage(&self.id)
    }

    /// What the session takes, and so what its removal would give back; nothing is removed.
    ///
    /// # Errors
    /// Those with which [`remove`](Self::remove) and [`trash`](Self::trash) would refuse:
    /// [`Error::Busy`] or [`Error::Locked`] while it has a writer, [`Error::NotFound`] if it is gone.
    pub fn would_remove(&self) -> Result<Usage> {
        self.has_no_writer()?;
        self.maintenance(Operation::Usage)?.usage(&self.id)
    }

    /// Fails as becoming the writer would.
    pub(crate) fn has_no_writer(&self) -> Result<()> {
        let id = self.id.clone();
        let writer = match self.backend.status(&id) {
            // Damage keeps nobody from becoming the writer, and none from removing it.
            Err(Error::Corrupt { .. }) => return Ok(()),
            status => status?.writer,
        };
        match writer {
            WriterState::Live(owner) => Err(Error::Busy { id, owner: owner.map(Box::new) }),
            WriterState::PlainBox { age, stale: false } => {
                let path = self.location().unwrap_or_default().join("session.next");
                Err(Error::Locked { id, path, age })
            }
            _ => Ok(()),
        }
    }

    /// Puts the session into the [trash](crate::Repository::trash) with every file in its directory,
    /// unless a writer lives. It can be put back from there, whole, until it is deleted.
    ///
    /// # Durability
    /// `Ok` means: it is in the trash, durably. After a crash it is there, or where it was.
    ///
    /// # Errors
    /// [`Error::Busy`] or [`Error::Locked`] while it has a writer. [`Error::Indeterminate`] if it may
    /// come to be in the trash after a power cut; it stands now.
    pub fn trash(&self) -> Result<Trashed> {
        self.maintenance(Operation::Trash)?.trash(&self.id)
    }

    /// Makes it keep its checkpoints in another format, where it is. On the way from plain to journal the
    /// checkpoint becomes revision 1, with its time. On the way back only the newest checkpoint stays, and
    /// that has to be allowed by `lose_history` where there is more, or where it has labels.
    ///
    /// # Durability
    /// `Ok` means: it is converted, durably. At every moment, and after a crash at any, it is the one or
    /// the other, and whole. What a killed conversion leaves in its directory the next one clears away.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if history would be lost, or this repository has no such format;
    /// [`Error::Busy`] and [`Error::Locked`] while it has a writer; [`Error::Corrupt`] if its newest
    /// checkpoint is damaged. After these it is as it was. [`Error::Indeterminate`]: it is converted now.
    pub fn convert(&self, to: Format, lose_history: bool) -> Result<()> {
        self.maintenance(Operation::Format(to))?.convert(&self.id, to, lose_history)
    }

    /// Removes the session and every file in its directory, unless a writer lives. It is out of the
    /// listing, durably, before the first file goes; what cannot be deleted is in the result. Nothing
    /// brings it back: see [`trash`](Self::trash).
    ///
    /// # Errors
    /// [`Error::Busy`] or [`Error::Locked`] while it has a writer. [`Error::Indeterminate`] if it may
    /// come to be gone after a power cut; it stands now.
    pub fn remove(&self) -> Result<Removal> {
        self.backend.remove(&self.id)
    }
}

impl Serialize for Session {
    /// As its `id` and its `location`.
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(Some(2))?;
        fields.serialize_entry("id", self.id())?;
        let location = self.location().map(|it| it.display().to_string());
        fields.serialize_entry("location", &location)?;
        fields.end()
    }
}

/// Serializes the session as its name alone.
pub(crate) fn as_id<S: Serializer>(
    session: &Session,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    session.id().serialize(serializer)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?} in {})", self.id.as_str(), self.backend.location().display())
    }
}

/// The one writer of a session. Others get [`Error::Busy`] until it is dropped.
#[derive(Debug)]
pub struct Writer {
    session: Session,
    process: Process,
    /// `None` in a child, where its parent had lent it.
    inner: Option<Box<dyn BackendWriter>>,
}

impl Writer {
    /// The copy that a child got of a writer which its parent had lent.
    pub(crate) fn lent(session: Session, process: Process) -> Self {
        Self { session, process, inner: None }
    }

    /// The backend's side, for the process that became the writer and for no child of it.
    pub(crate) fn inner(&mut self) -> Result<&mut dyn BackendWriter> {
        match &mut self.inner {
            Some(inner) if self.process.is_current() => Ok(&mut **inner),
            _ => {
                let (id, pid) = (self.session.id.clone(), self.process.pid());
                Err(Error::Inherited { id, pid })
            }
        }
    }

    /// The session it writes.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The state in which this writer found the session's program, at the moment it became the writer.
    pub fn found(&self) -> ProgramState {
        self.inner.as_ref().map_or(ProgramState::Idle, |it| it.found())
    }

    /// Ends this writer and records how the session's program ended, until the next writer comes. In a
    /// program under a [`SharedWriter`](crate::SharedWriter) this is left to the process that shares it.
    ///
    /// # Durability
    /// `Ok` means: the record is on stable storage.
    ///
    /// # Errors
    /// [`Error::Storage`] and [`Error::Indeterminate`] as for [`save`](Self::save). The writer has ended in
    /// any case, and every checkpoint stands.
    pub fn finish(mut self, end: ProgramEnd) -> Result<()> {
        self.inner()?.finish(end)
    }

    /// Makes `data` the newest checkpoint.
    ///
    /// # Durability
    /// `Ok` means: on stable storage, payload and every directory entry on the way to it.
    ///
    /// # Errors
    /// [`Error::Storage`] says which step failed and why; the checkpoint before stands, and saving
    /// goes on once the cause is gone. [`Error::Indeterminate`]: the new checkpoint is there, and may
    /// be gone after a power cut. [`Error::Inherited`] in a child of the process that became the writer.
    pub fn save(&mut self, data: &[u8]) -> Result<CheckpointInfo> {
        self.save_with(data, &SaveOptions::new())
    }

    /// [`save`](Self::save) with conditions or labels.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the revision it was to follow is not the newest,
    /// [`Error::Unsupported`] if the session keeps no labels; else those of [`save`](Self::save).
    pub fn save_with(&mut self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo> {
        let info = self.inner()?.save(data, options)?;
        self.replace_old();
        Ok(info)
    }

    /// Makes what a source gives, up to its end, the newest checkpoint: for one that is larger than
    /// memory. Up to 8 MiB of it are in memory; what is no longer than that is saved as
    /// [`save_with`](Self::save_with) does.
    ///
    /// # Durability
    /// `Ok` means: on stable storage, payload and every directory entry on the way to it.
    ///
    /// # Errors
    /// [`Error::Input`] if the source fails; the checkpoint before stands. Else those of
    /// [`save_with`](Self::save_with).
    pub fn save_from(
        &mut self,
        source: impl Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        self.save_input(Input::begin(source)?, options)
    }

    fn save_input(
        &mut self,
        input: Input<impl Read>,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        match input {
            Input::Small(data) => self.save_with(&data, options),
            Input::Large(mut source) => self.save_in_pieces(&mut source, options),
        }
    }

    /// [`save_from`](Self::save_from), however little comes.
    pub(crate) fn save_in_pieces(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        let info = self.inner()?.save_from(source, options)?;
        self.replace_old();
        Ok(info)
    }

    /// Removes the session that this one replaces, after its first checkpoint.
    fn replace_old(&mut self) {
        if let Some(old) = self.inner.as_ref().and_then(|it| it.replaces()).cloned() {
            // The checkpoint is saved; what goes wrong here is done again after the next one.
            if let Err(error) = self.take_the_place_of(old) {
                tracing::warn!(session = %self.session.id, %error, "could not replace the last session");
            }
        }
    }

    /// [`Session::restore`], by the writer that is held.
    ///
    /// # Errors
    /// Those of [`Session::load_revision`] and of [`save`](Self::save).
    pub fn restore(&mut self, revision: Revision) -> Result<CheckpointInfo> {
        let source = self.session.open_revision(revision)?;
        let options = SaveOptions::new().labels_of(source.info()).keep(Retention::All);
        self.save_checkpoint(source, &options)
    }

    /// Saves a checkpoint of some session. That it cannot be read is an error of its own.
    pub(crate) fn save_checkpoint(
        &mut self,
        source: impl Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        self.save_from(source, options).map_err(of_input)
    }

    /// The link first, and only then the old session: at every moment there is one to resume.
    fn take_the_place_of(&mut self, old: SessionId) -> Result<()> {
        let Session { backend, id } = &self.session;
        // Even if it is so already: that may not have been flushed.
        backend.set_last(id)?;
        let is_newer = |old: Status| Ok(old.created > backend.status(id)?.created);
        let outcome = match backend.status(&old).and_then(is_newer) {
            // Somebody has removed the old one, and made another of its name.
            Ok(true) => Ok(()),
            Ok(false) => backend.remove(&old).map(drop),
            Err(error) => Err(error),
        };
        match outcome {
            // Gone already, or in use: a live session is never removed.
            Ok(()) | Err(Error::NotFound { .. } | Error::Busy { .. } | Error::Locked { .. }) => {
                self.inner()?.set_replaced()
            }
            Err(error) => Err(error),
        }
    }
}
