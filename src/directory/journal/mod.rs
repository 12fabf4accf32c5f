//! Pitstop's own format, in two versions. docs/format.md describes the bytes and the rules of both.
//!
//! A journal of version 1 is read and written as one. Which version a journal has is told by its files.

mod bytes;
mod delta;
mod deltas;
mod v1;
mod v2;

use std::io::Read;
use std::sync::Arc;

use super::names;
use crate::backend::{Finding, GivenUp, History, Kept};
use crate::checkpoint::{CheckpointInfo, SaveOptions};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::random;
use crate::revision::{At, Revision};
use crate::stream::{Buffer, CheckpointReader};
use crate::sys::{Access, Dated, Directory, Disk, Identity};

/// A version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// The place of the writer, as it was taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// `session.writer`, as its name led to it.
    pub lock: Identity,
    /// Whether it was taken from a writer that may still be at work.
    pub is_claim: bool,
}

/// Whether a session keeps a journal.
pub(super) fn is_there(session: &Directory) -> Result<bool> {
    Ok(marker(session)?.is_some())
}

/// What says that a session keeps a journal: a file of that name, whatever is in it.
pub(super) fn marker(session: &Directory) -> Result<Option<Dated>> {
    Ok(session.dated(names::JOURNAL)?)
}

/// Makes an empty journal; its names are durable once the session's directory is flushed.
pub(super) fn create(session: &Directory, version: Version) -> Result<()> {
    begin(session, version)?;
    session.open_file(names::JOURNAL, Access::CreateNew)?;
    Ok(())
}

/// Makes the first file of a journal, which is none without [`marker`].
pub(super) fn begin(session: &Directory, version: Version) -> Result<()> {
    match version {
        Version::V1 => v1::begin(session),
        Version::V2 => v2::begin(session),
    }
}

/// Loads the newest checkpoint, or a revision that is kept, into memory of the caller's; `None` if there is
/// none.
///
/// Fails with [`Error::Corrupt`], which names the newest good revision, if it was acknowledged and is damaged.
pub(super) fn load_into(
    session: &Directory,
    at: At,
    buffer: &mut dyn Buffer,
) -> Result<Option<CheckpointInfo>> {
    match v1::load_into(session, at, buffer) {
        Err(error @ Error::NewerFormat { .. }) => v2::load_into(session, at, buffer)?.ok_or(error),
        found => found,
    }
}

/// Opens the same, to be read in pieces.
pub(super) fn open(session: &Directory, at: At) -> Result<Option<CheckpointReader>> {
    in_its_version(|| v2::open(session, at), || v1::open(session, at))
}

/// The newest checkpoint without its payload; `None` if nothing was ever saved. Fails as [`load`] does.
pub(super) fn newest(session: &Directory) -> Result<Option<Kept>> {
    in_its_version(|| v2::newest(session), || v1::newest(session))
}

/// Every revision that is kept, the newest first.
pub(super) fn history(session: &Directory) -> Result<History> {
    in_its_version(|| v2::history(session), || v1::history(session))
}

/// Whether there is a file of a journal in which something was saved, with or without [`marker`].
pub(super) fn is_begun(session: &Directory) -> Result<bool> {
    in_its_version(|| v2::is_there(session).map(Some), || v1::is_begun(session))
}

/// The files of a journal, the one with the newest checkpoint as the last; none of those that are damaged.
pub(super) fn oldest_first(session: &Directory) -> Result<Vec<String>> {
    in_its_version(|| v2::oldest_first(session), || v1::oldest_first(session))
}

/// What is wrong with the files, and the places of these revisions, which cannot be loaded.
pub(super) fn locate(session: &Directory, lost: &[u64]) -> Result<Vec<Finding>> {
    in_its_version(|| v2::locate(session, lost), || v1::locate(session, lost))
}

/// What [`give_up`] would delete.
pub(super) fn would_give_up(session: &Directory, before: Revision) -> Result<GivenUp> {
    in_its_version(|| v2::would_discard(session, before), || v1::would_give_up(session, before))
}

/// Gives up the revisions before this one, and deletes the files that hold nothing else. The caller is
/// the writer.
pub(super) fn give_up(
    session: &Directory,
    id: &SessionId,
    disk: Arc<dyn Disk>,
    held: Held,
    before: Revision,
) -> Result<GivenUp> {
    match v1::give_up(session, before) {
        Err(error @ Error::NewerFormat { .. }) => {
            let writer = v2::Writer::open(session.clone(), id.clone(), disk, held)?;
            let Some(mut writer) = writer else { return Err(error) };
            let given_up = writer.discard_before(before.number().unwrap_or(0))?;
            writer.close();
            Ok(given_up)
        }
        given_up => given_up,
    }
}

/// Looks at a journal as one of version 1, which all are that anybody has made, and as one of version 2 if that is
/// refused.
fn in_its_version<T>(
    newer: impl FnOnce() -> Result<Option<T>>,
    older: impl FnOnce() -> Result<T>,
) -> Result<T> {
    match older() {
        Err(error @ Error::NewerFormat { .. }) => newer()?.ok_or(error),
        found => found,
    }
}

/// The writer of a journal.
#[derive(Debug)]
pub(super) enum JournalWriter {
    V1(Box<v1::JournalWriter>),
    V2(Box<v2::Writer>),
}

impl JournalWriter {
    /// Becomes the writer, whose place is taken already.
    pub(super) fn open(
        session: Directory,
        id: SessionId,
        disk: Arc<dyn Disk>,
        held: Held,
    ) -> Result<Self> {
        match v1::JournalWriter::open(session.clone(), id.clone(), disk.clone()) {
            Err(error @ Error::NewerFormat { .. }) => {
                let writer = v2::Writer::open(session, id, disk, held)?;
                writer.map(|it| Self::V2(Box::new(it))).ok_or(error)
            }
            writer => writer.map(|it| Self::V1(Box::new(it))),
        }
    }

    /// Makes `data` the newest checkpoint.
    pub(super) fn save(&mut self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo> {
        match self {
            Self::V1(writer) => writer.save(data, options),
            Self::V2(writer) => writer.save(data, options),
        }
    }

    /// Makes what a source gives the newest checkpoint.
    pub(super) fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        match self {
            Self::V1(writer) => writer.save_from(source, options),
            Self::V2(writer) => writer.save_from(source, options),
        }
    }

    /// Says that the writer ended in order.
    pub(super) fn close(&mut self) {
        match self {
            Self::V1(writer) => writer.close(),
            Self::V2(writer) => writer.close(),
        }
    }
}

fn number() -> u64 {
    u64::from_le_bytes(random::bytes())
}
