//! What a repository can do, whatever it is made of.

use std::fmt;
use std::io::Read;
use std::iter::Sum;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::checkpoint::{Checkpoint, CheckpointInfo, Labels, Revision, SaveOptions};
use crate::error::{Error, Result};
use crate::files::Files;
use crate::id::SessionId;
use crate::owner::Owner;
use crate::stream::{Buffer, CheckpointReader, copy_into};
use crate::verify::{self, Finding, Verification};

/// What a repository can do. [`Repository`](crate::Repository) is written once, over this.
///
/// An implementation keeps the promises of the README; the functions in `pitstop::testing` (feature
/// `testing`) check it. Every method that changes something is durable when it returns `Ok`.
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
        verify::by_loading(self, id)
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
                what: "another format",
                place: self.location().display().to_string(),
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

/// How a session keeps its checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// PlainBox's: one file, put in place by a rename.
    Plain,
    /// Pitstop's own: a log of checksummed records, with history and labels.
    Journal,
    /// In the memory of this process.
    Memory,
    /// In an object store, with history and labels.
    Object,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "plain",
            Self::Journal => "journal",
            Self::Memory => "memory",
            Self::Object => "object",
        })
    }
}

/// What a repository holds.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The sessions that could be read.
    pub sessions: Vec<Summary>,
    /// The entries that could not.
    pub problems: Vec<Problem>,
}

/// One session in a [`Listing`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// Its name.
    pub id: SessionId,
    /// When its newest checkpoint was saved; `None` if never. In the listing of an object store it is by
    /// the clock of the store, unless the listing is [in full](crate::ListOptions::in_full).
    pub saved: Option<SystemTime>,
    /// The size of its newest checkpoint in bytes; `None` if never saved, or [not known](Self::is_in_full).
    pub size: Option<u64>,
    /// The labels of its newest checkpoint; `None` if [not known](Self::is_in_full).
    pub labels: Option<Labels>,
    /// When it last changed: when it was saved, or else when it was made.
    pub changed: SystemTime,
    /// How it keeps its checkpoints.
    pub format: Format,
    /// Whether a writer lives.
    pub live: bool,
    /// What an object store calls this state of it, whose clock is not that of those who save.
    pub(crate) version: Option<String>,
}

impl Summary {
    /// Whether size and labels are known. The listing of an object store does not tell them, unless it is
    /// [in full](crate::ListOptions::in_full).
    pub fn is_in_full(&self) -> bool {
        self.labels.is_some()
    }

    /// Whether it was changed between this look at it and a later one.
    pub(crate) fn was_changed(&self, later: &Self) -> bool {
        match (&self.version, &later.version) {
            (Some(version), Some(later)) => version != later,
            _ => later.changed > self.changed,
        }
    }
}

/// The revisions of a session.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct History {
    /// Those that are kept, the newest first. Whether their payloads are sound is seen when they are
    /// loaded.
    pub revisions: Vec<Kept>,
    /// Those that were saved and are lost to damage, the newest first.
    pub damaged: Vec<Revision>,
}

/// One revision that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// What is known of it.
    pub info: CheckpointInfo,
    /// How many bytes of storage it takes by itself.
    pub stored: u64,
}

/// An entry of a repository that could not be read as a session.
#[derive(Debug)]
#[non_exhaustive]
pub struct Problem {
    /// Its name, as far as it can be shown.
    pub name: String,
    /// The session of that name, if a session can have it.
    pub id: Option<SessionId>,
    /// What is wrong with it.
    pub error: Error,
}

/// How a session stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// What a [`Listing`] says of it.
    pub summary: Summary,
    /// When it was made, where that is known.
    pub created: Option<SystemTime>,
    /// Whether somebody is its writer.
    pub writer: WriterState,
}

/// Whether a session has a writer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriterState {
    /// Nobody; the last writer ended in order.
    Idle,
    /// A live one, with its record where that can be read.
    Live(Option<Owner>),
    /// Nobody; the last writer was killed or crashed. Nothing has to be done about it.
    Interrupted(Owner),
    /// PlainBox's `session.next` is there, unchanged for so long.
    PlainBox {
        /// How long it has been unchanged.
        age: Duration,
        /// Whether the next writer takes the session over because nobody can be writing that file.
        stale: bool,
    },
}

/// What [`unlock`](crate::Session::unlock) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unlocked {
    /// Nothing stood in the way of the next writer.
    Nothing,
    /// PlainBox's `session.next` was moved aside, to this place.
    MovedAside(PathBuf),
    /// This one, which cannot be seen from here, has the place of the writer no more: its next save would
    /// get [`Error::Conflict`].
    Displaced(Owner),
}

/// What a removal left behind, though the session is gone.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Removal {
    /// The files that could not be deleted, each with the reason.
    pub remains: Vec<Error>,
}

/// How much of the storage something takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// How many files.
    pub files: u64,
    /// How many bytes they take, which is what their removal gives back. A file of which a part was
    /// never written takes less than its length; small ones take a block.
    pub bytes: u64,
}

impl Usage {
    pub(crate) const fn new(files: u64, bytes: u64) -> Self {
        Self { files, bytes }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// What giving up revisions gave back.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct GivenUp {
    /// What was deleted, or would be. What else the revisions took is used again for later ones.
    pub usage: Usage,
    /// What could not be deleted, each with the reason, though the revisions are given up.
    pub remains: Vec<Error>,
}

/// A session in the trash.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trashed {
    /// The name that it had.
    pub id: SessionId,
    /// When it was put there. With the name, this tells it from all others.
    pub removed: SystemTime,
    /// How it stood; `None` if that cannot be read.
    pub summary: Option<Summary>,
    /// What it takes.
    pub usage: Usage,
}

/// What killed processes left in a repository.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Sweep {
    /// What was deleted, or would be.
    pub leftovers: Vec<Leftover>,
    /// What could not be deleted, each with the reason.
    pub remains: Vec<Error>,
}

/// Something that a killed process left in a repository.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Leftover {
    /// Where it is.
    pub place: PathBuf,
    /// What it is.
    pub what: &'static str,
    /// What it takes.
    pub usage: Usage,
}
