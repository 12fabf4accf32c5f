//! Making a ring: under another name, whole and flushed, and then under its own.

use std::io::ErrorKind;

use super::fence::Own;
use super::layout::{BLOCK, Commit, FileHeader, Place};
use super::record::{Header, Record, TRAILER_LEN};
use super::ring::{Opened, Ring};
use super::tail::{LEAST, Tail};
use crate::directory::{journal, names};
use crate::error::{Error, Operation, Result, Subject};
use crate::sys::{Access, Directory, Failure, File, Outcome, found};

/// Rings up to this size are filled with zeros when they are made, so that each save costs one
/// flush. Longer ones grow with what is saved, for there the data costs more than the flush.
const PREFILLED: u64 = 8 << 20;
const ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];

/// A ring that is being made.
pub(super) struct Fresh<'a> {
    session: &'a Directory,
    staged: String,
    pub file: File,
    pub header: FileHeader,
}

impl<'a> Fresh<'a> {
    /// Begins a ring of the next number. Its length can be given later.
    pub(super) fn begin(session: &'a Directory, tail: &Tail, is_upgrade: bool) -> Result<Self> {
        let number = tail.top.checked_add(1).ok_or_else(|| Error::Unsupported {
            operation: Operation::HighRevision,
            subject: Subject::Directory(session.path().to_owned()),
        })?;
        let (salt, journal, follows) = (journal::number(), tail.journal, tail.commit);
        let header = FileHeader { number, salt, journal, len: 0, is_upgrade, follows };
        let staged = names::staged_ring(journal::number());
        let file = session.open_file(&staged, Access::CreateNew)?;
        Ok(Self { session, staged, file, header })
    }

    /// Gives the file its length, with zeros behind what `used` blocks take.
    pub(super) fn extend(&self, used: u32) -> Outcome<()> {
        extend(&self.file, &self.header, used)
    }

    /// Makes it durable and gives it its name. Where that fails, it is gone, or nobody can know.
    pub(super) fn finish(self) -> Result<(Own, u32)> {
        let name = names::segment(self.header.number);
        let outcome = self.file.sync().and_then(|()| self.session.rename_new(&self.staged, &name));
        if let Err(failure) = outcome {
            let _ = self.session.remove_file(&self.staged);
            return Err(failure.into());
        }
        // It stays where it is if this fails: it does not count, and that it is gone might not last.
        self.session.sync().map_err(Failure::indeterminate)?;
        let gone = || Failure::gone(&self.session.path().join(&name)).indeterminate();
        match Ring::open(self.session, self.header.number, Access::Write)? {
            Some(Opened::Ring(ring, header)) if header.salt == self.header.salt => {
                let own = Own::new(self.session, ring)?.ok_or_else(gone)?;
                Ok((own, header.end()))
            }
            _ => Err(gone()),
        }
    }

    pub(super) fn discard(self) {
        let _ = self.session.remove_file(&self.staged);
    }
}

fn extend(file: &File, header: &FileHeader, used: u32) -> Outcome<()> {
    let last = header.last_block();
    let (from, to) = (u64::from(used) * BLOCK, header.len - BLOCK);
    if header.len > PREFILLED {
        return file.write_all_at(&[&last], to);
    }
    // Memory that was touched: of zeros that are not there yet, the system makes a cache
    // of the smallest pieces, and each save that goes into it takes longer.
    let zeros = ZEROS.repeat(((to - from) / BLOCK) as usize);
    file.write_all_at(&[&zeros, &last], from)
}

/// Makes the first ring of a journal, which is none without the marker. Its name is durable once the session's
/// directory is flushed.
pub(in crate::directory) fn begin(session: &Directory) -> Result<()> {
    // That of a journal which the session was before.
    found(session.remove_file(names::HINT))?;
    let (salt, journal, len) = (journal::number(), journal::number(), LEAST);
    let follows = Commit::default();
    let header = FileHeader { number: 0, salt, journal, len, is_upgrade: false, follows };
    let file = session.open_file(names::segment(0), Access::CreateNew)?;
    file.write_all(&header.first_block())?;
    extend(&file, &header, 1)?;
    Ok(file.sync()?)
}

/// Whether a ring could not get its name because somebody else has taken the number.
pub(super) fn is_taken(error: &Error) -> bool {
    matches!(error, Error::Storage { source, .. } if source.kind() == ErrorKind::AlreadyExists)
}

/// Writes a record at its place, in one call.
pub(super) fn write(
    file: &File,
    salt: u64,
    header: Header,
    place: Place,
    stored: &[u8],
) -> Outcome<Record> {
    let (head, check) = header.encode(salt, place.block);
    let end = padding(&head, stored.len() as u64, place, check);
    file.write_all_at(&[&head, stored, &end], place.at())?;
    Ok(Record { header, check, place })
}

/// What is behind the stored bytes of a record.
pub(super) fn padding(head: &[u8], stored: u64, place: Place, check: u64) -> Vec<u8> {
    let len = place.len() - head.len() as u64 - stored;
    let mut padding = vec![0; (len as usize).saturating_sub(TRAILER_LEN)];
    padding.extend(check.to_le_bytes());
    padding
}
