//! One file of a journal, and the records in it.

use std::io::ErrorKind;

use super::super::delta::Rope;
use super::layout::{self, BLOCK, FileHeader, FirstBlock, Place};
use super::record::{HEADER_LEN, Kind, Record, TRAILER_LEN, follows, stored_check};
use crate::checkpoint::Digest;
use crate::directory::{names, pieces};
use crate::error::{Error, Result};
use crate::stream::{Buffer, IN_MEMORY};
use crate::sys::{Access, Directory, File, Outcome, found};

/// How much is read at once where all of a ring is searched.
const STRIDE: u64 = 64 * 1024;

/// An open ring.
#[derive(Debug)]
pub(super) struct Ring {
    pub file: File,
    pub number: u64,
    pub salt: u64,
    size: u64,
}

/// What a file of the journal is.
#[derive(Debug)]
pub(super) enum Opened {
    Ring(Ring, FileHeader),
    /// The same, but shorter than it was made.
    CutShort(Ring, FileHeader),
    /// A segment of version 1.
    Older,
    /// Its header is lost, or it is of another number. It has this length.
    Damaged(u64),
}

/// The bytes of a checkpoint that was found to be whole.
#[derive(Debug)]
pub(super) enum Payload {
    InMemory(Vec<u8>),
    /// Behind the record's header.
    InPlace,
}

impl Ring {
    /// Opens a file and reads its header; `None` if it is not there.
    pub(super) fn open(session: &Directory, number: u64, access: Access) -> Result<Option<Opened>> {
        let name = names::segment(number);
        let Some(file) = found(session.open_file(&name, access))? else { return Ok(None) };
        let size = file.metadata()?.size;
        let last = (size / BLOCK).saturating_sub(1) * BLOCK;
        let (first, last) = (block(&file, 0)?, block(&file, last)?);
        let first_block = layout::read(&first.unwrap_or_default(), &last.unwrap_or_default());
        Ok(Some(match first_block {
            FirstBlock::Ring(header) if header.number == number => {
                let ring = Self { file, number, salt: header.salt, size };
                match size < header.len {
                    true => Opened::CutShort(ring, header),
                    false => Opened::Ring(ring, header),
                }
            }
            FirstBlock::Ring(_) | FirstBlock::Damaged => Opened::Damaged(size),
            FirstBlock::Older => Opened::Older,
            FirstBlock::Newer(version) => {
                let path = file.path().to_owned();
                return Err(Error::NewerFormat { path, version: version.into() });
            }
        }))
    }

    /// Opens the ring of a record, of which the hint has told the salt.
    pub(super) fn with_salt(session: &Directory, number: u64, salt: u64) -> Result<Option<Self>> {
        let Some(file) = found(session.open_file(names::segment(number), Access::Read))? else {
            return Ok(None);
        };
        let size = file.metadata()?.size;
        Ok(Some(Self { file, number, salt, size }))
    }

    /// The record that begins at this block, if its header is good.
    pub(super) fn record(&self, at: u32) -> Outcome<Option<Record>> {
        let bytes = block(&self.file, u64::from(at) * BLOCK)?;
        Ok(bytes.and_then(|bytes| self.decode(&bytes, at)))
    }

    /// What is longer than the file is none, whatever its header says.
    fn decode(&self, bytes: &[u8], at: u32) -> Option<Record> {
        let record = Record::decode(bytes, self.salt, self.number, at)?;
        (u64::from(record.place.end()) * BLOCK <= self.size).then_some(record)
    }

    /// Whether a record at this block names this check as that of the commit before, be it whole or not.
    pub(super) fn has_follower(&self, at: u32, check: u64) -> Outcome<bool> {
        let bytes = block(&self.file, u64::from(at) * BLOCK)?;
        Ok(bytes.is_some_and(|bytes| follows(&bytes, self.salt, at) == Some(check)))
    }

    /// Every record whose header is good, the newest first. All of the ring is read.
    pub(super) fn scan(&self, header: &FileHeader) -> Result<Vec<Record>> {
        let (mut at, end) = (BLOCK, u64::from(header.end()) * BLOCK);
        let mut records = Vec::new();
        while at < end {
            let len = STRIDE.min(end - at).min(self.size.saturating_sub(at));
            let chunk = self.bytes(at, len)?;
            for (n, bytes) in chunk.chunks(BLOCK as usize).enumerate() {
                let block = u32::try_from(at / BLOCK).unwrap_or(u32::MAX).saturating_add(n as u32);
                records.extend(self.decode(bytes, block));
            }
            if (chunk.len() as u64) < STRIDE {
                break;
            }
            at += STRIDE;
        }
        records.retain(|it| it.header.lsn > header.follows.lsn);
        records.sort_by_key(|it| std::cmp::Reverse(it.header.lsn));
        Ok(records)
    }

    /// So many bytes from there on; none if the file was cut short under our eyes.
    fn bytes(&self, at: u64, len: u64) -> Outcome<Vec<u8>> {
        match self.file.read_at(at, usize::try_from(len).unwrap_or(usize::MAX)) {
            Err(failure) if failure.kind() == ErrorKind::UnexpectedEof => Ok(Vec::new()),
            bytes => bytes,
        }
    }

    /// Whether all of a record was written, and what it is stored against is good.
    pub(super) fn is_whole(&self, record: &Record) -> Result<bool> {
        let trailer = self.bytes(record.place.trailer_at(), TRAILER_LEN as u64)?;
        Ok(trailer == record.check.to_le_bytes()
            && (record.header.kind == Kind::Mark || self.payload(record)?.is_some()))
    }

    /// The checkpoint of a record, but what is stored whole and is large is left where it is. `None` if
    /// it is damaged.
    pub(super) fn payload(&self, record: &Record) -> Result<Option<Payload>> {
        if record.header.kind == Kind::Full && record.header.stored > IN_MEMORY as u64 {
            let (at, len) = (record.stored_at(), record.header.stored);
            return Ok(match pieces::digest(&self.file, at, len) {
                Err(failure) if failure.kind() == ErrorKind::UnexpectedEof => None,
                digest => (digest? == record.header.digest).then_some(Payload::InPlace),
            });
        }
        Ok(self.checkpoint(record)?.map(Payload::InMemory))
    }

    /// The checkpoint of a record; `None` if it, or what it is made of, is damaged.
    pub(super) fn checkpoint(&self, record: &Record) -> Result<Option<Vec<u8>>> {
        match record.header.kind {
            Kind::Full => self.stored(record, true),
            Kind::Delta => self.replay(record, |rope| {
                Ok(rope.join().filter(|data| Digest::of(data) == record.header.digest))
            }),
            Kind::Mark => Ok(None),
        }
    }

    /// [`checkpoint`](Self::checkpoint), into memory of the caller's.
    pub(super) fn load_into(&self, record: &Record, buffer: &mut dyn Buffer) -> Result<Option<()>> {
        let header = &record.header;
        let mut is_sound = false;
        match header.kind {
            Kind::Full => {
                let Ok(len) = usize::try_from(header.stored) else { return Ok(None) };
                buffer.make(len, &mut |room| {
                    match self.file.fill_at(room, record.stored_at()) {
                        Err(failure) if failure.kind() == ErrorKind::UnexpectedEof => (),
                        filled => {
                            filled?;
                            is_sound = Digest::of(room) == header.digest;
                        }
                    }
                    Ok(())
                })?;
            }
            Kind::Delta => {
                self.replay(record, |rope| {
                    buffer.make(rope.len(), &mut |room| {
                        rope.copy_to(room);
                        is_sound = Digest::of(room) == header.digest;
                        Ok(())
                    })?;
                    Ok(Some(()))
                })?;
            }
            Kind::Mark => (),
        }
        Ok(is_sound.then_some(()))
    }

    /// The full record that a delta is stored against, and the deltas from there up to it; `None` if one of
    /// their headers is lost.
    pub(super) fn deltas(&self, record: &Record) -> Result<Option<(Record, Vec<Record>)>> {
        let mut deltas = vec![record.clone()];
        loop {
            let Some(last) = deltas.last() else { return Ok(None) };
            let Some(before) = self.before(last)? else { return Ok(None) };
            match before.header.kind {
                Kind::Full if before.place.block == record.header.base => {
                    deltas.reverse();
                    return Ok(Some((before, deltas)));
                }
                Kind::Delta if before.header.base == record.header.base => deltas.push(before),
                _ => return Ok(None),
            }
        }
    }

    /// The checkpoint before, in the same ring. Checks count down, so that this ends.
    fn before(&self, record: &Record) -> Result<Option<Record>> {
        let mut at = record.header.previous;
        loop {
            if at.0.file != self.number || !at.0.is_some() {
                return Ok(None);
            }
            let before = self.record(at.0.block)?.filter(|it| it.commit() == at.1);
            match before {
                Some(mark) if mark.header.kind == Kind::Mark => at = mark.header.previous,
                before => return Ok(before),
            }
        }
    }

    fn replay<T>(
        &self,
        record: &Record,
        take: impl FnOnce(&Rope<'_>) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let Some((full, deltas)) = self.deltas(record)? else { return Ok(None) };
        let Some(whole) = self.stored(&full, false)? else { return Ok(None) };
        let mut stored = Vec::new();
        for delta in &deltas {
            match self.stored(delta, true)? {
                Some(bytes) => stored.push(bytes),
                None => return Ok(None),
            }
        }
        let mut rope = Rope::new(&whole);
        for (bytes, delta) in stored.iter().zip(&deltas) {
            let size = usize::try_from(delta.header.size).ok();
            match size.and_then(|size| rope.apply(bytes, size)) {
                Some(next) => rope = next,
                None => return Ok(None),
            }
        }
        take(&rope)
    }

    /// The stored bytes of a record; `None` if they are damaged. A base need not be checked by itself:
    /// the digest of what is made of it tells.
    fn stored(&self, record: &Record, check: bool) -> Result<Option<Vec<u8>>> {
        let header = &record.header;
        let Ok(len) = usize::try_from(header.stored) else { return Ok(None) };
        let data = match self.file.read_at(record.stored_at(), len) {
            Err(failure) if failure.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            data => data?,
        };
        let sound = !check
            || match header.kind {
                Kind::Full => Digest::of(&data) == header.digest,
                _ => stored_check(&data, self.salt) == header.stored_check,
            };
        Ok(sound.then_some(data))
    }
}

impl Opened {
    /// The ring, whether or not all of it is there.
    pub(super) fn ring(self) -> Option<(Ring, FileHeader)> {
        match self {
            Self::Ring(ring, header) | Self::CutShort(ring, header) => Some((ring, header)),
            Self::Older | Self::Damaged(_) => None,
        }
    }
}

/// A block of a file; `None` if the file ends before.
fn block(file: &File, at: u64) -> Outcome<Option<Vec<u8>>> {
    match file.read_at(at, BLOCK as usize) {
        Err(failure) if failure.kind() == ErrorKind::UnexpectedEof => Ok(None),
        bytes => bytes.map(Some),
    }
}

/// A header and its labels are read with the block that they begin in.
const _: () = assert!(HEADER_LEN + 3000 <= BLOCK as usize);

impl Place {
    /// Where the check of a record's header stands again.
    pub(super) fn trailer_at(self) -> u64 {
        self.at() + self.len() - TRAILER_LEN as u64
    }
}
