//! How sessions stand.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::checkpoint::{CheckpointInfo, Labels};
use crate::error::Error;
use crate::id::SessionId;
use crate::owner::Owner;
use crate::revision::Revision;

/// How a session keeps its checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// Whether damage may have taken newer ones than all of these, of which not even the numbers are known.
    pub may_lack_newer: bool,
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
