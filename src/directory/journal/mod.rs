//! Pitstop's own format: a log of checksummed records in segments that are written again and again.
//! docs/format.md describes the bytes and the rules.

mod delta;
mod deltas;
mod format;
mod give_up;
mod read;
mod retention;
mod segment;
mod state;
mod tail;
mod verify;
mod write;

use super::names;
use crate::checkpoint::{Digest, Labels};
use crate::error::Result;
use crate::random;
use crate::sys::{Access, Dated, Directory};
use format::{BLOCK, Kind, RecordHeader, SegmentHeader};
pub(super) use give_up::{give_up, would_give_up};
pub(super) use read::{history, is_saved, load_into, newest, open};
pub(super) use verify::locate;
pub(super) use write::JournalWriter;

/// The first segment of a journal: small, for there may be a hundred thousand.
const FIRST_SEGMENT: u64 = 32 * 1024;
/// Segments up to this size hold several checkpoints, larger ones two.
const SEVERAL: u64 = 1 << 20;

/// Whether a session keeps a journal.
pub(super) fn is_there(session: &Directory) -> Result<bool> {
    Ok(marker(session)?.is_some())
}

/// What says that a session keeps a journal: a file of that name, whatever is in it.
pub(super) fn marker(session: &Directory) -> Result<Option<Dated>> {
    Ok(session.dated(names::JOURNAL)?)
}

/// Makes an empty journal; its names are durable once the session's directory is flushed.
pub(super) fn create(session: &Directory) -> Result<()> {
    begin(session)?;
    session.open_file(names::JOURNAL, Access::CreateNew)?;
    Ok(())
}

/// Makes the first segment of a journal, which is none without [`marker`].
pub(super) fn begin(session: &Directory) -> Result<()> {
    let header = SegmentHeader {
        sequence: 1,
        salt: number(),
        journal: number(),
        outlived: 0,
        kept: 0,
        capacity: FIRST_SEGMENT,
    };
    let mut bytes = header.encode();
    bytes.extend(close_record(0, header.salt));
    bytes.resize(FIRST_SEGMENT as usize, 0);
    let file = session.open_file(names::segment(0), Access::CreateNew)?;
    file.write_all(&bytes)?;
    Ok(file.sync()?)
}

/// Says that the writer ended in order after this revision.
fn close_record(revision: u64, salt: u64) -> Vec<u8> {
    let header = RecordHeader {
        kind: Kind::Close,
        revision,
        previous: revision,
        kept: revision,
        stored: 0,
        size: 0,
        saved: std::time::UNIX_EPOCH,
        digest: Digest::of(&[]),
        check: 0,
        labels: Labels::new(),
    };
    let mut bytes = header.encode(salt);
    bytes.resize(BLOCK as usize, 0);
    bytes
}

fn number() -> u64 {
    u64::from_le_bytes(random::bytes())
}
