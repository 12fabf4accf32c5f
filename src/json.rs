//! How values are serialized for programs: times as RFC 3339, paths and errors as text.
//!
//! docs/json.md describes the result. Nothing here is written to a disk or a store.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::backend::{Unlocked, WriterState};
use crate::error::Error;
use crate::id::SessionId;
use crate::owner::Owner;
use crate::prune::Spared;
use crate::session::Session;

/// Serializes a time in UTC, with microseconds: `2026-11-28T01:24:00.000000Z`.
pub(crate) fn time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let time = Timestamp::try_from(*time).unwrap_or_default();
    serializer.collect_str(&format_args!("{time:.6}"))
}

pub(crate) fn optional_time<S: Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => self::time(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// Serializes a time that is stored as seconds since 1970.
fn seconds<S: Serializer>(seconds: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    let since = Duration::from_secs(*seconds);
    time(&SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH), serializer)
}

/// Serializes a path; bytes that are not UTF-8 are replaced.
pub(crate) fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

fn optional_path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => self::path(path, serializer),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn paths<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|it| it.display().to_string()))
}

/// Serializes the session as its name.
pub(crate) fn id<S: Serializer>(session: &Session, serializer: S) -> Result<S::Ok, S::Error> {
    session.id().serialize(serializer)
}

impl Serialize for Session {
    /// As its `id` and its `location`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(Some(2))?;
        fields.serialize_entry("id", self.id())?;
        let location = self.location().map(|it| it.display().to_string());
        fields.serialize_entry("location", &location)?;
        fields.end()
    }
}

impl Serialize for Error {
    /// As its text, with the texts of its causes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        serializer.serialize_str(&text)
    }
}

/// The process that is or was the writer.
#[derive(Serialize)]
#[serde(remote = "Owner")]
pub(crate) struct OwnerFields {
    /// The name of its machine.
    host: String,
    /// The kernel's id of the boot that it runs in.
    boot_id: String,
    /// Its process id.
    pid: u32,
    /// When its process started, in clock ticks since boot.
    start_time: u64,
    /// The name of its program.
    program: String,
    /// When it became the writer.
    #[serde(serialize_with = "seconds")]
    since: u64,
}

/// An owner for programs. [`Owner`] itself is serialized as it is stored.
#[derive(Serialize)]
#[serde(transparent)]
struct OwnerJson(#[serde(with = "OwnerFields")] Owner);

/// Whether a session has a writer, and who it is or was.
#[derive(Serialize)]
pub(crate) struct WriterFields {
    /// `idle`, `live`, `interrupted`, `ended`, or `locked` by PlainBox.
    state: &'static str,
    /// The writer: null if there is none, or it left no record.
    owner: Option<OwnerJson>,
    /// For how many seconds PlainBox's lock is unchanged: null without one.
    unchanged_seconds: Option<u64>,
    /// Whether the next writer takes PlainBox's lock over: null without one.
    stale: Option<bool>,
}

impl From<WriterState> for WriterFields {
    fn from(writer: WriterState) -> Self {
        let of = |state, owner: Option<Owner>| Self {
            state,
            owner: owner.map(OwnerJson),
            unchanged_seconds: None,
            stale: None,
        };
        match writer {
            WriterState::Idle => of("idle", None),
            WriterState::Live(owner) => of("live", owner),
            WriterState::Interrupted(owner) => of("interrupted", Some(owner)),
            WriterState::Ended { owner, .. } => of("ended", Some(owner)),
            WriterState::PlainBox { age, stale } => Self {
                unchanged_seconds: Some(age.as_secs()),
                stale: Some(stale),
                ..of("locked", None)
            },
        }
    }
}

/// What an unlock did.
#[derive(Serialize)]
pub(crate) struct UnlockFields {
    /// Where PlainBox's lock was moved to: null if there was none.
    #[serde(serialize_with = "optional_path")]
    moved_aside: Option<PathBuf>,
    /// The remote writer that lost its lease: null if there was none.
    revoked: Option<OwnerJson>,
}

impl From<Unlocked> for UnlockFields {
    fn from(unlocked: Unlocked) -> Self {
        let (mut moved_aside, mut revoked) = (None, None);
        match unlocked {
            Unlocked::Nothing => (),
            Unlocked::MovedAside(place) => moved_aside = Some(place),
            Unlocked::Displaced(owner) => revoked = Some(OwnerJson(owner)),
        }
        Self { moved_aside, revoked }
    }
}

/// A session that meets the criteria and stays.
#[derive(Serialize)]
pub(crate) struct SkippedFields<'a> {
    /// Its name.
    id: &'a SessionId,
    /// `in use`, `last` or `changed`.
    reason: Spared,
}

pub(crate) fn skipped<S: Serializer>(
    skipped: &[(SessionId, Spared)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(skipped.iter().map(|(id, reason)| SkippedFields { id, reason: *reason }))
}
