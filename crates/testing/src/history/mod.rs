//! Histories: what clients of one repository asked for at once, what they were told, and whether that can be true.
//!
//! A [`History`] holds operations with their times. [`check`] accepts it if there is one order of them that keeps real
//! time (what ended before another began comes first), and in which each answer is what a repository says that does
//! one thing at a time: `model` is that repository. So it finds a save that counts twice, was refused and counts, or
//! was confirmed and is lost; a revision that does not rise; a save that does not follow what it names; a load of a
//! state that was already replaced; a session that is lost or comes back; and a live writer that loses its place.
//! Operations with an unknown outcome may count once, at any later time, or never.
//!
//! [`liveness`] finds who waited longer than anything may take, and who was refused in the name of a dead writer.
//! [`Client`] makes operations of the calls of a [`Repository`](pitstop::Repository), and [`Script`] chooses them by a
//! seed. A [`Recorder`] can tell what it records as lines, from which [`merge`] makes one history of many processes.

mod client;
mod explain;
mod liveness;
mod model;
mod recorder;
mod script;
mod search;

pub use client::{Client, payload, payload_number};
pub use liveness::{Limits, liveness};
pub use recorder::{Recorder, merge};
pub use script::{Mix, NAMES, Script};
pub use search::check;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number that the payload of a save has, and that of no other save.
pub type Payload = u64;

/// A call of one client, in one history. Times and revisions are numbers; revision 0 is none, or one that is not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub enum Call {
    /// Creates a session.
    Create { name: String },
    /// Saves without holding the place of the writer.
    Save { name: String, payload: Payload, follows: Option<u64> },
    /// Takes the place of the writer.
    Acquire { name: String },
    /// Saves as the writer that the client's operation `place` made.
    Write { place: usize, payload: Payload, follows: Option<u64> },
    /// Gives the place of the writer back.
    Release { place: usize },
    /// Loads the newest checkpoint.
    Load { name: String },
    /// Reads which revisions are kept.
    History { name: String },
    /// Gives up all revisions but the newest.
    Prune { name: String },
    /// Removes a session for good.
    Remove { name: String },
    /// Moves a session to the trash.
    Trash { name: String },
    /// Lists the trash, while nobody else does anything.
    ListTrash,
    /// Takes a session out of the trash, under this name.
    Restore { item: Item, name: String },
    /// Deletes a session in the trash.
    Delete { item: Item },
    /// Deletes what killed processes left.
    Sweep,
}

/// A session in the trash: the name that it had, and when it came there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Item {
    /// The name that it had.
    pub name: String,
    /// Nanoseconds since 1970.
    pub removed: u128,
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub enum Outcome {
    /// It was done.
    Done,
    /// It was saved, as this revision.
    Saved(u64),
    /// This is the newest checkpoint.
    Loaded { revision: u64, payload: Payload },
    /// Nothing was saved yet.
    Empty,
    /// These are kept, the newest first.
    Kept(Vec<(u64, Payload)>),
    /// It is in the trash.
    Trashed(Item),
    /// These are in the trash.
    Items(Vec<Item>),
    /// Another checkpoint is the newest, or another is the writer.
    Conflict { found: u64 },
    /// There is no such session.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// Somebody else is the writer.
    Busy,
    /// It failed, and nothing was changed.
    Failed,
    /// It may have been done, may be done yet, or never.
    Unknown,
    /// What no client may be told: damage, or what the call cannot fail with.
    Wrong(String),
}

/// A call and its answer.
#[derive(Clone, Debug)]
pub struct Op {
    /// Who called.
    pub client: usize,
    /// What was asked for.
    pub call: Call,
    /// When it was asked for.
    pub start: u64,
    /// When it was answered. What has an unknown outcome may take effect later than that.
    pub end: u64,
    /// What was told.
    pub outcome: Outcome,
}

/// That a client stood still or was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down {
    /// Which client.
    pub client: usize,
    /// Since when.
    pub from: u64,
    /// Until when; `None` if it was killed.
    pub until: Option<u64>,
}

/// All that happened in one repository, which was empty before.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The operations, in the order in which they were begun. [`Call::Write`] and [`Call::Release`] name earlier ones by
    /// their index.
    pub ops: Vec<Op>,
    /// Who stood still so long that others may take its place, or was killed.
    pub down: Vec<Down>,
    /// Whether each change holds the place of the writer while it lasts, as with a lock.
    pub locks: bool,
}

/// Why a history cannot be true.
#[derive(Clone, Debug)]
pub struct Violation(String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Op {
    /// From when on it can take no more effect.
    fn latest(&self) -> u64 {
        match self.outcome {
            Outcome::Unknown => u64::MAX,
            _ => self.end,
        }
    }
}

impl History {
    /// Whether a client was killed or stood still before this time.
    fn was_down(&self, client: usize, before: u64) -> bool {
        self.down.iter().any(|down| down.client == client && down.from < before)
    }

    /// Whether somebody else changes the session of this operation at the same time.
    fn has_rival(&self, index: usize) -> bool {
        const SLACK: u64 = 1_000_000_000;
        let op = &self.ops[index];
        let name = |call: &Call| match call {
            Call::Write { place, .. } | Call::Release { place } => match &self.ops[*place].call {
                Call::Acquire { name } => Some(name.clone()),
                _ => None,
            },
            Call::Create { name }
            | Call::Save { name, .. }
            | Call::Acquire { name }
            | Call::Prune { name }
            | Call::Remove { name }
            | Call::Trash { name }
            | Call::Restore { name, .. } => Some(name.clone()),
            _ => None,
        };
        let overlaps = |other: &Op| {
            let end = self.death(other.client).map_or(other.end, |it| it.saturating_add(SLACK));
            other.client != op.client && other.start <= op.end && op.start <= end
        };
        let wanted = name(&op.call);
        self.ops.iter().any(|other| {
            let is_sweep = matches!(other.call, Call::Sweep);
            (is_sweep || name(&other.call) == wanted) && overlaps(other)
        })
    }

    /// When a client was killed.
    fn death(&self, client: usize) -> Option<u64> {
        let of_client = self.down.iter().filter(|down| down.client == client);
        of_client.filter(|down| down.until.is_none()).map(|down| down.from).min()
    }
}
