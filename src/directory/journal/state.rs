//! A whole journal: its segments, and which revisions stand.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};

use super::delta::Rope;
use super::format::{Kind, RecordHeader, stored_check};
use super::segment::{self, Found, Record, Segment};
use crate::backend::Kept;
use crate::checkpoint::{CheckpointInfo, Digest};
use crate::directory::{names, pieces};
use crate::error::Result;
use crate::revision::Revision;
use crate::stream::{Buffer, IN_MEMORY};
use crate::sys::{Access, Directory, File, Outcome, found};

/// How often the names are listed again because a writer deleted one of them meanwhile.
const PATIENCE: usize = 100;

/// The segments of a journal, the oldest first.
#[derive(Debug)]
pub(super) struct Journal {
    session: Directory,
    pub segments: Vec<Segment>,
    /// Whether a new segment was being made.
    pub is_unfinished: bool,
    /// Files whose headers are lost, and the segments of other journals, with their lengths.
    pub damaged: Vec<(String, u64)>,
    /// Files that somebody copied from a segment: the same use of one, with nothing newer in it.
    pub copies: Vec<String>,
    /// Whether something in it was found not to be whole: cut short, damaged, or written over meanwhile.
    pub is_doubtful: Cell<bool>,
}

/// A record by its place: the segment's and its own.
pub(super) type Place = (usize, usize);

/// The bytes of a checkpoint that was found to be whole.
#[derive(Debug)]
pub(super) enum Payload {
    InMemory(Vec<u8>),
    /// Behind the record's header in this file.
    InPlace(File),
}

impl Journal {
    /// Reads the headers of all segments and records.
    ///
    /// Beside a writer these are of different moments, but the newest record is no older than what was the
    /// newest when the names were listed: docs/format.md says why.
    pub(super) fn open(session: &Directory, access: Access) -> Result<Self> {
        let mut patience = PATIENCE;
        loop {
            let (mut journal, is_complete) = Self::open_listed(session, access)?;
            if is_complete || patience == 0 {
                journal.turn_out_foreign_segments();
                journal.turn_out_copies();
                return Ok(journal);
            }
            patience -= 1;
        }
    }

    /// Also says whether each file was there that was listed.
    fn open_listed(session: &Directory, access: Access) -> Result<(Self, bool)> {
        let mut journal = Self {
            session: session.clone(),
            segments: Vec::new(),
            is_unfinished: false,
            damaged: Vec::new(),
            copies: Vec::new(),
            is_doubtful: Cell::new(false),
        };
        let (mut is_complete, mut newest) = (true, 0);
        for (name, _) in session.entries()? {
            journal.is_unfinished |= name == names::NEW_SEGMENT;
            let Some(name) = name.to_str().filter(|it| names::segment_number(it).is_some()) else {
                continue;
            };
            let Some(file) = found(session.open_file(name, access))? else {
                is_complete = false;
                continue;
            };
            match segment::read(file, name.to_owned())? {
                Found::Damaged(capacity) => journal.damaged.push((name.to_owned(), capacity)),
                Found::Segment(segment) => {
                    let segments = &mut journal.segments;
                    segments.push(segment);
                    let last = segments.len() - 1;
                    let is_newer =
                        segments[last].header.sequence >= segments[newest].header.sequence;
                    let (older, newer) = if is_newer { (newest, last) } else { (last, newest) };
                    if older != newer {
                        segments[older].open = None;
                    }
                    newest = newer;
                }
            }
        }
        Ok((journal, is_complete))
    }

    /// The first file says which journal this is.
    fn turn_out_foreign_segments(&mut self) {
        let first = self.segments.iter().min_by_key(|it| names::segment_number(&it.name));
        let Some(journal) = first.map(|segment| segment.header.journal) else { return };
        for foreign in self.segments.extract_if(.., |it| it.header.journal != journal) {
            self.damaged.push((foreign.name, foreign.capacity));
        }
    }

    /// Each use of a segment is of one file: the one that was written on.
    fn turn_out_copies(&mut self) {
        let number = |it: &Segment| std::cmp::Reverse(names::segment_number(&it.name));
        self.segments.sort_by_key(|it| (it.header.sequence, it.newest_revision(), number(it)));
        let mut copies = Vec::new();
        self.segments.dedup_by(|later, kept| {
            let is_same = later.header.sequence == kept.header.sequence;
            if is_same {
                std::mem::swap(later, kept);
                copies.push(std::mem::take(&mut later.name));
            }
            is_same
        });
        self.copies = copies;
    }

    /// Every record from this revision on whose header is good, the newest first.
    pub(super) fn places(&self, kept: u64) -> impl Iterator<Item = Place> {
        let in_segment = |(s, segment): (usize, &Segment)| {
            (0..segment.records.len()).rev().map(move |r| (s, r)).collect::<Vec<_>>()
        };
        let places = self.segments.iter().enumerate().rev().flat_map(in_segment);
        places.filter(move |place| self.record(*place).header.revision >= kept)
    }

    /// The oldest revision that is kept, where this is the newest record that is whole. What is left of older ones
    /// may be half written over.
    ///
    /// What a record says that was cut short does not count: its save did not happen, and nothing was given up
    /// by it.
    pub(super) fn oldest_kept(&self, newest: Option<Place>) -> u64 {
        let newest = newest.map_or(0, |place| self.record(place).header.kept);
        newest.max(self.surely_given_up())
    }

    /// The revisions before this one were given up by what is known to have happened: what was proved, and
    /// what segments' headers say.
    pub(super) fn surely_given_up(&self) -> u64 {
        let proved: HashSet<u64> = self.proved().collect();
        let records = self.segments.iter().flat_map(|segment| &segment.records);
        let proved = records.filter(|it| proved.contains(&it.header.revision));
        let by_headers = self.segments.iter().map(|segment| segment.header.kept);
        proved.map(|record| record.header.kept).chain(by_headers).max().unwrap_or(0)
    }

    pub(super) fn record(&self, (s, r): Place) -> &Record {
        &self.segments[s].records[r]
    }

    /// The highest revision that is proved to have been acknowledged.
    pub(super) fn proven(&self) -> u64 {
        self.proved().max().unwrap_or(0)
    }

    /// Whether a revision is proved to have been acknowledged.
    pub(super) fn is_proved(&self, revision: u64) -> bool {
        self.proved().any(|it| it == revision)
    }

    /// The revisions that are proved to have been acknowledged: another record or the writer's end
    /// followed them.
    pub(super) fn proved(&self) -> impl Iterator<Item = u64> {
        self.segments.iter().flat_map(|segment| {
            let previous = segment.records.iter().map(|record| record.header.previous);
            previous.chain(segment.closed)
        })
    }

    /// The revisions from this one on that were acknowledged, and of which nothing is there; the newest first.
    pub(super) fn lost(&self, kept: u64) -> Vec<u64> {
        let there: HashSet<u64> =
            self.places(kept).map(|place| self.record(place).header.revision).collect();
        let lost: BTreeSet<u64> =
            self.proved().filter(|it| *it >= kept.max(1) && !there.contains(it)).collect();
        lost.into_iter().rev().collect()
    }

    /// Whether all its files are missing: a journal begins with one, and is never without one.
    pub(super) fn is_without_files(&self) -> bool {
        self.segments.is_empty() && self.damaged.is_empty()
    }

    /// Whether something newer than this may have been in what is lost: a file, its header, or its end.
    pub(super) fn may_have_lost_newer(&self, newest: Option<Place>) -> bool {
        let since = newest.map_or(0, |(s, _)| s);
        if self.is_without_files() || self.segments[since..].iter().any(|it| !it.is_whole()) {
            return true;
        }
        let until = newest.map_or(0, |(s, _)| s + 1);
        let outlived = self.segments[..until].iter().map(|it| it.header.outlived).max();
        let is_outlived = |name: &str| names::segment_number(name) < outlived;
        self.damaged.iter().any(|(name, _)| !is_outlived(name))
    }

    /// Whether this is what was read the other time, so that no writer was at work in between.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let segments = |it: &Self| -> Vec<_> {
            let it = it.segments.iter();
            it.map(|it| (it.header, it.records.len(), it.end, it.newest_revision(), it.closed))
                .collect()
        };
        self.damaged == other.damaged && segments(self) == segments(other)
    }

    /// The newest checkpoint that is whole, as [`checkpoint`](Self::checkpoint), [`payload`](Self::payload)
    /// or [`load_into`](Self::load_into) gives it.
    pub(super) fn newest_good<T>(
        &self,
        mut take: impl FnMut(&Self, Place) -> Result<Option<T>>,
    ) -> Result<Option<(Place, T)>> {
        for place in self.places(self.surely_given_up()) {
            if let Some(taken) = self.take(place, &mut take)? {
                return Ok(Some((place, taken)));
            }
        }
        Ok(None)
    }

    /// Takes a record, and notes if it is not whole.
    pub(super) fn take<T>(
        &self,
        place: Place,
        take: impl FnOnce(&Self, Place) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let taken = take(self, place)?;
        self.is_doubtful.set(self.is_doubtful.get() || taken.is_none());
        Ok(taken)
    }

    /// The checkpoint of a record, but what is stored whole and is large is left where it is. `None` if
    /// it is damaged.
    pub(super) fn payload(&self, (s, r): Place) -> Result<Option<Payload>> {
        let (segment, record) = (&self.segments[s], &self.segments[s].records[r]);
        if record.header.kind == Kind::Full && record.header.stored > IN_MEMORY as u64 {
            let Some(file) = found(segment.reopen(&self.session, Access::Read))? else {
                return Ok(None);
            };
            return Ok(is_sound_in_place(&file, record)?.then_some(Payload::InPlace(file)));
        }
        Ok(self.checkpoint((s, r))?.map(Payload::InMemory))
    }

    /// The checkpoint of a record; `None` if it, or what it is made of, is damaged.
    pub(super) fn checkpoint(&self, (s, r): Place) -> Result<Option<Vec<u8>>> {
        let (segment, record) = (&self.segments[s], &self.segments[s].records[r]);
        let Some(file) = found(segment.file(&self.session, Access::Read))? else { return Ok(None) };
        match record.header.kind {
            Kind::Full => segment.stored(&file, record, true),
            _ => segment.replay(&file, r, |rope| {
                Ok(rope.join().filter(|data| Digest::of(data) == record.header.digest))
            }),
        }
    }

    /// [`checkpoint`](Self::checkpoint), into memory of the caller's.
    pub(super) fn load_into(&self, (s, r): Place, buffer: &mut dyn Buffer) -> Result<Option<()>> {
        let (segment, record) = (&self.segments[s], &self.segments[s].records[r]);
        let Some(file) = found(segment.file(&self.session, Access::Read))? else { return Ok(None) };
        let header = &record.header;
        let mut is_sound = false;
        match header.kind {
            Kind::Full => {
                let Ok(len) = usize::try_from(header.stored) else { return Ok(None) };
                buffer.make(len, &mut |room| {
                    file.fill_at(room, record.at + header.stored_at())?;
                    is_sound = Digest::of(room) == header.digest;
                    Ok(())
                })?;
            }
            _ => {
                segment.replay(&file, r, |rope| {
                    buffer.make(rope.len(), &mut |room| {
                        rope.copy_to(room);
                        is_sound = Digest::of(room) == header.digest;
                        Ok(())
                    })?;
                    Ok(Some(()))
                })?;
            }
        }
        Ok(is_sound.then_some(()))
    }

    pub(super) fn kept(&self, place: Place) -> Kept {
        let record = self.record(place);
        Kept { info: info(&record.header), stored: record.len }
    }
}

pub(super) fn info(header: &RecordHeader) -> CheckpointInfo {
    CheckpointInfo {
        revision: Revision::from_number(header.revision),
        saved: header.saved,
        size: header.size,
        digest: header.digest,
        labels: header.labels.clone(),
    }
}

fn is_sound_in_place(file: &File, record: &Record) -> Outcome<bool> {
    let header = &record.header;
    let digest = pieces::digest(file, record.at + header.stored_at(), header.stored)?;
    Ok(digest == header.digest)
}

impl Segment {
    /// What the record makes of the whole one before it and the deltas between; `None` if one of them is
    /// damaged, or if `take` finds what they make to be so.
    fn replay<T>(
        &self,
        file: &File,
        r: usize,
        take: impl FnOnce(&Rope<'_>) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let full = self.records[..r].iter().rposition(|it| it.header.kind == Kind::Full);
        let Some(full) = full else { return Ok(None) };
        let base = &self.records[full];
        let Some(whole) = self.stored(file, base, false)? else { return Ok(None) };
        let mut deltas = Vec::new();
        for record in &self.records[full + 1..=r] {
            match self.stored(file, record, true)? {
                Some(stored) => deltas.push((stored, &record.header)),
                None => return Ok(None),
            }
        }
        let mut rope = Rope::new(&whole);
        let mut revision = base.header.revision;
        for (stored, header) in &deltas {
            let made = usize::try_from(header.size).ok().and_then(|size| rope.apply(stored, size));
            match made.filter(|_| header.previous == revision) {
                Some(next) => rope = next,
                None => return Ok(None),
            }
            revision = header.revision;
        }
        take(&rope)
    }

    /// The stored bytes of a record; `None` if they are damaged. A base need not be checked by itself:
    /// the digest of what is made of it tells.
    fn stored(&self, file: &File, record: &Record, check: bool) -> Result<Option<Vec<u8>>> {
        let header = &record.header;
        let Ok(len) = usize::try_from(header.stored) else { return Ok(None) };
        let data = file.read_at(record.at + header.stored_at(), len)?;
        let sound = !check
            || match header.kind {
                Kind::Full => Digest::of(&data) == header.digest,
                _ => stored_check(&data, self.header.salt) == header.check,
            };
        Ok(sound.then_some(data))
    }
}
