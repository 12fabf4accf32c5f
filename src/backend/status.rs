//! How sessions stand.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::fields::{UnlockFields, WriterFields};
use crate::checkpoint::{CheckpointInfo, Labels};
use crate::error::Error;
use crate::format::Format;
use crate::id::SessionId;
use crate::json;
use crate::owner::Owner;
use crate::program::{ProgramEnd, ProgramState, WriterRecord};
use crate::revision::Revision;

/// What a repository holds.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Listing {
    /// The sessions that could be read.
    pub sessions: Vec<Summary>,
    /// The entries that could not.
    pub problems: Vec<Problem>,
}

/// One session in a [`Listing`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Its name.
    pub id: SessionId,
    /// When its newest checkpoint was saved; `None` if never. In the listing of an object store it is by
    /// the clock of the store, unless the listing is [in full](crate::ListOptions::in_full).
    #[serde(serialize_with = "json::optional_time")]
    pub saved: Option<SystemTime>,
    /// The size of its newest checkpoint in bytes; `None` if never saved, or [not known](Self::is_in_full).
    pub size: Option<u64>,
    /// The labels of its newest checkpoint; `None` if [not known](Self::is_in_full).
    pub labels: Option<Labels>,
    /// When it last changed: when it was saved, or else when it was made.
    #[serde(serialize_with = "json::time")]
    pub changed: SystemTime,
    /// How it keeps its checkpoints.
    pub format: Format,
    /// Whether a writer lives.
    pub live: bool,
    /// The state of its program; `None` where the listing of an object store does not know it. In a listing
    /// PlainBox's lock is not looked at.
    #[serde(flatten)]
    pub state: Option<ProgramState>,
    /// What an object store calls this state of it, whose clock is not that of those who save.
    #[serde(skip)]
    pub(crate) version: Option<String>,
}

impl Summary {
    /// A session in which nothing was saved yet, made at this time.
    pub fn new(id: SessionId, format: Format, created: SystemTime) -> Self {
        Self {
            id,
            saved: None,
            size: None,
            labels: Some(Labels::new()),
            changed: created,
            format,
            live: false,
            state: Some(ProgramState::Idle),
            version: None,
        }
    }

    /// The same session with this newest checkpoint.
    pub fn with_newest(self, newest: &CheckpointInfo) -> Self {
        Self {
            saved: Some(newest.saved),
            size: Some(newest.size),
            labels: Some(newest.labels.clone()),
            changed: newest.saved,
            ..self
        }
    }

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
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct History {
    /// Those that are kept, the newest first. Whether their payloads are sound is seen when they are
    /// loaded.
    pub revisions: Vec<Kept>,
    /// Those that were saved and are lost to damage, the newest first.
    pub damaged: Vec<Revision>,
    /// Whether damage may have taken newer ones than all of these, of which not even the numbers are known.
    #[serde(rename = "newer_may_be_lost")]
    pub may_lack_newer: bool,
}

/// One revision that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Kept {
    /// What is known of it.
    #[serde(flatten)]
    pub info: CheckpointInfo,
    /// How many bytes of storage it takes by itself.
    #[serde(rename = "stored_size")]
    pub stored: u64,
}

impl Kept {
    /// A revision that takes this many bytes of storage by itself.
    pub fn new(info: CheckpointInfo, stored: u64) -> Self {
        Self { info, stored }
    }
}

/// An entry of a repository that could not be read as a session.
#[derive(Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// What a [`Listing`] says of it.
    #[serde(flatten)]
    pub summary: Summary,
    /// When it was made, where that is known.
    #[serde(serialize_with = "json::optional_time")]
    pub created: Option<SystemTime>,
    /// Whether somebody is its writer.
    pub writer: WriterState,
}

impl Status {
    /// The state of a session whose time of creation is not known.
    pub fn new(summary: Summary, writer: WriterState) -> Self {
        Self { summary, created: None, writer }
    }
}

/// Whether a session has a writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "WriterFields")]
#[non_exhaustive]
pub enum WriterState {
    /// Nobody; the last writer ended in order.
    Idle,
    /// A live one, with its record where that can be read.
    Live(Option<Owner>),
    /// Nobody; the last writer was killed or crashed. Nothing has to be done about it.
    Interrupted(Owner),
    /// Nobody; the last writer recorded how its program ended.
    Ended {
        /// The last writer.
        owner: Owner,
        /// How its program ended.
        end: ProgramEnd,
    },
    /// PlainBox's `session.next` is there, unchanged for so long.
    PlainBox {
        /// How long it has been unchanged.
        age: Duration,
        /// Whether the next writer takes the session over because nobody can be writing that file.
        stale: bool,
    },
}

impl WriterState {
    /// The state that a writer leaves whose program ended so.
    pub fn ended(owner: Owner, end: ProgramEnd) -> Self {
        match end {
            ProgramEnd::Interrupted => Self::Interrupted(owner),
            end => Self::Ended { owner, end },
        }
    }

    /// The state of the session's program.
    pub fn program(&self) -> ProgramState {
        match self {
            Self::Idle => ProgramState::Idle,
            Self::Live(_) | Self::PlainBox { stale: false, .. } => ProgramState::Running,
            Self::Interrupted(_) | Self::PlainBox { stale: true, .. } => ProgramState::Interrupted,
            Self::Ended { end, .. } => (*end).into(),
        }
    }
}

impl From<WriterRecord> for WriterState {
    /// The state of a session that has this record and no live writer.
    fn from(record: WriterRecord) -> Self {
        Self::ended(record.owner, record.ended.unwrap_or(ProgramEnd::Interrupted))
    }
}

/// What [`unlock`](crate::Session::unlock) did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "UnlockFields")]
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
