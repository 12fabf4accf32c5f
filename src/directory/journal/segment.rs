//! One file of a journal, and what is in it.

use std::ops::Deref;

use super::format::{
    BLOCK, FirstBlock, Kind, RecordHeader, SegmentHeader, first_block, third_copy,
};
use crate::error::{Error, Result};
use crate::sys::{Access, Directory, File, Metadata, Outcome};

/// So much of its beginning is read at once: all that a session has which was seldom saved.
const HEAD: u64 = 16 * 1024;
/// How much is read at once where the end of a segment has to be looked for.
const STRIDE: u64 = 64 * 1024;

/// A segment and the records that are in it.
#[derive(Debug)]
pub(super) struct Segment {
    /// Its file, where it is kept open: that of the newest segment alone, so that the number of open files
    /// does not depend on how much is kept.
    pub open: Option<File>,
    pub name: String,
    pub header: SegmentHeader,
    /// The length of the file: what was written once and can be written again for one flush.
    pub capacity: u64,
    /// Those whose headers are good, the oldest first.
    pub records: Vec<Record>,
    /// Where the next record goes.
    pub end: u64,
    /// The last revision of this segment, if its writer ended in order after it.
    pub closed: Option<u64>,
    /// Whether records are missing that later ones prove, or may be: then nothing is written here any more.
    pub gaps: bool,
    /// What is damaged, though what is in `records` can be relied on.
    pub damage: Option<Damage>,
    /// Whether the file has a second name, in a snapshot or in another session. Such a one is only read.
    pub is_linked: bool,
}

/// The file of a segment.
pub(super) enum SegmentFile<'a> {
    Kept(&'a File),
    Opened(File),
}

impl Deref for SegmentFile<'_> {
    type Target = File;

    fn deref(&self) -> &File {
        match self {
            Self::Kept(file) => file,
            Self::Opened(file) => file,
        }
    }
}

/// What may happen to a segment that leaves its records good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// Its first block is lost; the header is the copy behind the first record.
    FirstBlock,
    /// The file is shorter than it was made, and records may have been in what is missing.
    CutShort,
}

/// A record whose header is good. Its stored bytes may still turn out not to be.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub header: RecordHeader,
    /// Where it begins.
    pub at: u64,
    pub len: u64,
}

/// What a file that should be a segment is.
#[derive(Debug)]
pub(super) enum Found {
    Segment(Segment),
    /// Its header is lost, and all in it. It has this length.
    Damaged(u64),
}

/// Reads the header of a segment and those of its records. All of them are of one use: where a writer takes it
/// into use again meanwhile, it is read again.
pub(super) fn read(file: File, name: String) -> Result<Found> {
    let there = file.metadata()?;
    if there.size < BLOCK {
        return Ok(Found::Damaged(there.size));
    }
    let mut head = file.read_at(0, there.size.min(HEAD) as usize)?;
    loop {
        let before = first_block(&head[..BLOCK as usize]);
        let found = read_use(&file, &name, &there, before, &head)?;
        head = file.read_at(0, there.size.min(HEAD) as usize)?;
        if first_block(&head[..BLOCK as usize]) == before {
            return Ok(match found {
                Some(segment) => Found::Segment(Segment { open: Some(file), ..segment }),
                None => Found::Damaged(there.size),
            });
        }
    }
}

/// Reads what was written since a segment's header was; `None` if that is lost.
fn read_use(
    file: &File,
    name: &str,
    there: &Metadata,
    first: FirstBlock,
    head: &[u8],
) -> Result<Option<Segment>> {
    let capacity = there.size;
    let (header, damage) = match first {
        FirstBlock::Segment(header) => (header, None),
        FirstBlock::Damaged => match header_behind_first_record(file, capacity)? {
            Some(header) => (header, Some(Damage::FirstBlock)),
            None => return Ok(None),
        },
        FirstBlock::Newer(version) => {
            return Err(Error::NewerFormat {
                path: file.path().to_owned(),
                version: version.into(),
            });
        }
    };
    let mut segment = Segment {
        open: None,
        name: name.to_owned(),
        header,
        capacity,
        records: Vec::new(),
        end: BLOCK,
        closed: None,
        gaps: damage.is_some(),
        damage,
        is_linked: there.links > 1,
    };
    segment.scan(file, head)?;
    if segment.is_cut_short(file, head)? {
        (segment.gaps, segment.damage) = (true, Some(Damage::CutShort));
    }
    Ok(Some(segment))
}

/// The header, if its copy is there and the first record is of its use: it has its salt.
fn header_behind_first_record(file: &File, capacity: u64) -> Outcome<Option<SegmentHeader>> {
    let second = file.read_at(BLOCK, BLOCK as usize)?;
    let Some((at, len)) = third_copy(&second).filter(|(at, _)| *at < capacity) else {
        return Ok(None);
    };
    let copy = file.read_at(at, len)?;
    let header = (copy.len() == len).then(|| SegmentHeader::decode(&copy)).flatten();
    Ok(header.filter(|it| RecordHeader::decode(&second, it.salt).is_some()))
}

impl Segment {
    /// A segment that begins a new use, with nothing in it.
    pub(super) fn fresh(name: String, header: SegmentHeader, capacity: u64) -> Self {
        Self {
            open: None,
            name,
            header: SegmentHeader { capacity, ..header },
            capacity,
            records: Vec::new(),
            end: BLOCK,
            closed: None,
            gaps: false,
            damage: None,
            is_linked: false,
        }
    }

    /// Its file: the one that is open, or opened anew.
    pub(super) fn file(&self, session: &Directory, access: Access) -> Outcome<SegmentFile<'_>> {
        match &self.open {
            Some(file) => Ok(SegmentFile::Kept(file)),
            None => self.reopen(session, access).map(SegmentFile::Opened),
        }
    }

    pub(super) fn reopen(&self, session: &Directory, access: Access) -> Outcome<File> {
        session.open_file(&self.name, access)
    }

    /// Whether a record of this length can be appended. A block stays for the mark that its writer
    /// ended in order.
    pub(super) fn fits(&self, len: u64) -> bool {
        !self.gaps && !self.is_linked && len + BLOCK <= self.capacity - self.end
    }

    /// Whether that mark can be written without making the file longer, which it would not flush.
    pub(super) fn can_close(&self) -> bool {
        self.is_whole() && !self.is_linked && self.capacity - self.end >= BLOCK
    }

    /// Whether all of the file is there that can have records in it.
    pub(super) fn is_whole(&self) -> bool {
        self.damage != Some(Damage::CutShort)
    }

    pub(super) fn newest(&self) -> Option<&Record> {
        self.records.last()
    }

    pub(super) fn newest_revision(&self) -> u64 {
        self.newest().map_or(0, |record| record.header.revision)
    }

    /// Reads record after record. Where there is none, it is the end, unless a later good one shows that
    /// there was one: then what lies between is damaged, and reading goes on behind it.
    fn scan(&mut self, file: &File, head: &[u8]) -> Result<()> {
        while let Some(header) = self.header_at(file, self.end, head)? {
            if !self.take(header, self.end) {
                return Ok(());
            }
        }
        let mut at = self.end + BLOCK;
        while let Some((header, found)) = self.next_header(file, at)? {
            self.gaps = true;
            let go_on = self.take(header, found);
            at = self.end.max(found + BLOCK);
            if !go_on {
                break;
            }
        }
        Ok(())
    }

    /// Whether a record may have been in a part of the file that is missing: there was one where none fits
    /// any more. Where the next one would go and none is, there was none.
    fn is_cut_short(&self, file: &File, head: &[u8]) -> Result<bool> {
        Ok(self.capacity < self.header.capacity
            && self.closed.is_none()
            && (self.end + BLOCK > self.capacity
                || self.header_at(file, self.end, head)?.is_some()))
    }

    /// Adds a record that was found; `false` if it says that there are no more.
    fn take(&mut self, header: RecordHeader, at: u64) -> bool {
        let Some(len) = header.len().filter(|len| *len <= self.capacity - at) else { return false };
        if header.kind == Kind::Close {
            self.closed = Some(header.revision);
            self.end = at;
            return false;
        }
        self.end = at + len;
        self.records.push(Record { header, at, len });
        true
    }

    /// The header at this place, if there is one that comes after those we have. `head` is what has been
    /// read from the beginning of the file.
    fn header_at(&self, file: &File, at: u64, head: &[u8]) -> Result<Option<RecordHeader>> {
        if at + BLOCK > self.capacity {
            return Ok(None);
        }
        if let Some(block) = head.get(at as usize..(at + BLOCK) as usize) {
            return Ok(self.decode(block));
        }
        let block = file.read_at(at, BLOCK as usize)?;
        Ok(self.decode(&block))
    }

    fn decode(&self, block: &[u8]) -> Option<RecordHeader> {
        let newest = self.newest_revision();
        let header = RecordHeader::decode(block, self.header.salt)?;
        let follows = match header.kind {
            Kind::Close => header.revision >= newest,
            Kind::Full | Kind::Delta => header.revision > newest,
        };
        follows.then_some(header)
    }

    /// The first header at or behind this place.
    fn next_header(&self, file: &File, mut at: u64) -> Result<Option<(RecordHeader, u64)>> {
        while at < self.capacity {
            let chunk = file.read_at(at, STRIDE.min(self.capacity - at) as usize)?;
            for (n, block) in chunk.chunks_exact(BLOCK as usize).enumerate() {
                if let Some(header) = self.decode(block) {
                    return Ok(Some((header, at + n as u64 * BLOCK)));
                }
            }
            if (chunk.len() as u64) < STRIDE {
                break;
            }
            at += STRIDE;
        }
        Ok(None)
    }
}
