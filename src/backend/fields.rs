//! Owners, writers and unlocks as programs read them: docs/json.md describes the fields.

use std::path::PathBuf;

use serde::Serialize;

use super::{Unlocked, WriterState};
use crate::json;
use crate::owner::Owner;

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
    #[serde(serialize_with = "json::seconds")]
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
    #[serde(serialize_with = "json::optional_path")]
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
