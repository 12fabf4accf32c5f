//! PlainBox's format: the newest checkpoint is the file `session`, and that is all there is.

pub(super) mod leftover;
mod save;

use twox_hash::XxHash3_64;

use super::names;
use super::pieces::{self, Part};
use crate::checkpoint::{Checkpoint, CheckpointInfo, Digest, Labels};
use crate::error::{Error, Operation, Result, Subject};
use crate::id::SessionId;
use crate::revision::Revision;
use crate::stream::{Buffer, CheckpointReader};
use crate::sys::{Access, Dated, Directory, found};
pub(super) use save::PlainWriter;

/// The checkpoint, if there is one.
pub(super) fn load(session: &Directory) -> Result<Option<Checkpoint>> {
    let Some(file) = found(session.open_file(names::CHECKPOINT, Access::Read))? else {
        return Ok(None);
    };
    let there = file.dated()?;
    let data = file.read(there.size)?;
    let info = info(Digest::of(&data), &there);
    Ok(Some(Checkpoint { info, data }))
}

/// The checkpoint, if there is one, into memory of the caller's.
pub(super) fn load_into(
    session: &Directory,
    buffer: &mut dyn Buffer,
) -> Result<Option<CheckpointInfo>> {
    let Some(file) = found(session.open_file(names::CHECKPOINT, Access::Read))? else {
        return Ok(None);
    };
    let there = file.dated()?;
    let size = usize::try_from(there.size).unwrap_or(usize::MAX);
    let mut digest = Digest::of(&[]);
    buffer.make(size, &mut |room| {
        file.fill_at(room, 0)?;
        digest = Digest::of(room);
        Ok(())
    })?;
    Ok(Some(info(digest, &there)))
}

/// The checkpoint, if there is one, to be read in pieces. Nobody changes it where it is: the next
/// one is another file.
pub(super) fn open(session: &Directory) -> Result<Option<CheckpointReader>> {
    let Some(file) = found(session.open_file(names::CHECKPOINT, Access::Read))? else {
        return Ok(None);
    };
    let there = file.dated()?;
    let info = info(pieces::digest(&file, 0, there.size)?, &there);
    let data = Part { file, at: 0, end: there.size };
    Ok(Some(CheckpointReader::new(info, data)))
}

fn info(digest: Digest, there: &Dated) -> CheckpointInfo {
    CheckpointInfo {
        revision: revision(digest, there),
        saved: there.modified,
        size: there.size,
        digest,
        labels: Labels::new(),
    }
}

/// The file's identity. The content is part of it: an inode and a time can come again when two saves
/// fall into one tick of the kernel's clock.
fn revision(digest: Digest, there: &Dated) -> Revision {
    let modified = there.modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut identity = digest.as_u128().to_le_bytes().to_vec();
    identity.extend(there.inode.to_le_bytes());
    identity.extend(modified.as_nanos().to_le_bytes());
    Revision::from_identity(XxHash3_64::oneshot(&identity))
}

pub(super) fn unsupported(operation: Operation, id: &SessionId) -> Error {
    Error::Unsupported { operation, subject: Subject::PlainSession(id.clone()) }
}
