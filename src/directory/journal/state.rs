//! A whole journal: its segments, and which revisions stand.

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
use crate::sys::{Access, Directory, Outcome, found};

/// The segments of a journal, the oldest first.
#[derive(Debug)]
pub(super) struct Journal {
    pub segments: Vec<Segment>,
    /// Whether a new segment was being made.
    pub is_unfinished: bool,
    /// Files whose headers are lost, and the segments of other journals, with their lengths.
    pub damaged: Vec<(String, u64)>,
    /// Files that somebody copied from a segment: the same use of one, with nothing newer in it.
    pub copies: Vec<String>,
}

/// How many bytes of holes are read where that may be for nothing.
pub(super) const MOST_HOLES: u64 = 16 << 20;

/// A record by its place: the segment's and its own.
pub(super) type Place = (usize, usize);

/// The bytes of a checkpoint that was found to be whole.
#[derive(Debug)]
pub(super) enum Payload {
    InMemory(Vec<u8>),
    /// Behind the record's header.
    InPlace,
}

impl Journal {
    /// Reads the headers of all segments and records.
    pub(super) fn open(session: &Directory, access: Access) -> Result<Self> {
        let (segments, damaged, copies) = Default::default();
        let mut journal = Self { segments, is_unfinished: false, damaged, copies };
        for (name, _) in session.entries()? {
            journal.is_unfinished |= name == names::NEW_SEGMENT;
            let Some(name) = name.to_str().filter(|it| names::segment_number(it).is_some()) else {
                continue;
            };
            // The writer may take one away while we look.
            let Some(file) = found(session.open_file(name, access))? else { continue };
            match segment::open(file, name.to_owned())? {
                Found::Segment(segment) => journal.segments.push(segment),
                Found::Damaged(capacity) => journal.damaged.push((name.to_owned(), capacity)),
            }
        }
        journal.turn_out_foreign_segments();
        journal.turn_out_copies();
        Ok(journal)
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

    /// Every record that is kept and whose header is good, the newest first.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let in_segment = |(s, segment): (usize, &Segment)| {
            (0..segment.records.len()).rev().map(move |r| (s, r)).collect::<Vec<_>>()
        };
        let kept = self.oldest_kept();
        let places = self.segments.iter().enumerate().rev().flat_map(in_segment);
        places.filter(move |place| self.record(*place).header.revision >= kept)
    }

    /// The oldest revision that is kept. What is left of older ones may be half written over.
    pub(super) fn oldest_kept(&self) -> u64 {
        let records = self.segments.iter().flat_map(|segment| &segment.records);
        let by_headers = self.segments.iter().map(|segment| segment.header.kept);
        records.map(|record| record.header.kept).chain(by_headers).max().unwrap_or(0)
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

    /// The revisions that were acknowledged, and of which nothing is there; the newest first.
    pub(super) fn lost(&self) -> Vec<u64> {
        let there: HashSet<u64> =
            self.places().map(|place| self.record(place).header.revision).collect();
        let oldest = self.oldest_kept().max(1);
        let lost: BTreeSet<u64> =
            self.proved().filter(|it| *it >= oldest && !there.contains(it)).collect();
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

    /// What a change of which shows that a writer was at work while this was read.
    pub(super) fn fingerprint(&self) -> Vec<(u64, u64)> {
        self.segments.iter().map(|it| (it.header.sequence, it.end)).collect()
    }

    /// The newest checkpoint that is whole, as [`checkpoint`](Self::checkpoint), [`payload`](Self::payload)
    /// or [`load_into`](Self::load_into) gives it.
    pub(super) fn newest_good<T>(
        &self,
        mut take: impl FnMut(&Self, Place) -> Result<Option<T>>,
    ) -> Result<Option<(Place, T)>> {
        for place in self.places() {
            if let Some(taken) = take(self, place)? {
                return Ok(Some((place, taken)));
            }
        }
        Ok(None)
    }

    /// The checkpoint of a record, but what is stored whole and is large is left where it is. `None` if
    /// it is damaged.
    pub(super) fn payload(&self, (s, r): Place) -> Result<Option<Payload>> {
        let (segment, record) = (&self.segments[s], &self.segments[s].records[r]);
        if record.header.kind == Kind::Full && record.header.stored > IN_MEMORY as u64 {
            return Ok(segment.is_sound_in_place(record)?.then_some(Payload::InPlace));
        }
        Ok(self.checkpoint((s, r))?.map(Payload::InMemory))
    }

    /// The checkpoint of a record; `None` if it, or what it is made of, is damaged.
    pub(super) fn checkpoint(&self, (s, r): Place) -> Result<Option<Vec<u8>>> {
        let (segment, record) = (&self.segments[s], &self.segments[s].records[r]);
        match record.header.kind {
            Kind::Full => segment.stored(record, true),
            _ => segment.replay(r, |rope| {
                Ok(rope.join().filter(|data| Digest::of(data) == record.header.digest))
            }),
        }
    }

    /// [`checkpoint`](Self::checkpoint), into memory of the caller's.
    pub(super) fn load_into(&self, (s, r): Place, buffer: &mut dyn Buffer) -> Result<Option<()>> {
        let (segment, record) = (&self.segments[s], &self.segments[s].records[r]);
        let header = &record.header;
        let mut is_sound = false;
        match header.kind {
            Kind::Full => {
                let Ok(len) = usize::try_from(header.stored) else { return Ok(None) };
                buffer.make(len, &mut |room| {
                    segment.file.fill_at(room, record.at + header.stored_at())?;
                    is_sound = Digest::of(room) == header.digest;
                    Ok(())
                })?;
            }
            _ => {
                segment.replay(r, |rope| {
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

impl Segment {
    fn is_sound_in_place(&self, record: &Record) -> Outcome<bool> {
        let header = &record.header;
        let digest = pieces::digest(&self.file, record.at + header.stored_at(), header.stored)?;
        Ok(digest == header.digest)
    }

    /// What the record makes of the whole one before it and the deltas between; `None` if one of them is
    /// damaged, or if `take` finds what they make to be so.
    fn replay<T>(
        &self,
        r: usize,
        take: impl FnOnce(&Rope<'_>) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let full = self.records[..r].iter().rposition(|it| it.header.kind == Kind::Full);
        let Some(full) = full else { return Ok(None) };
        let base = &self.records[full];
        let most = self.records[r].header.size.saturating_mul(2).saturating_add(MOST_HOLES);
        if base.len > most && self.holes(r)? > most {
            return Ok(None);
        }
        let Some(whole) = self.stored(base, false)? else { return Ok(None) };
        // A writer sees to it that deltas are no longer than the whole one before them.
        let chain = &self.records[full + 1..=r];
        if chain.iter().map(|record| record.len).sum::<u64>() > base.len {
            return Ok(None);
        }
        let mut deltas = Vec::new();
        let mut revision = base.header.revision;
        for record in chain {
            match self.stored(record, true)?.filter(|_| record.header.previous == revision) {
                Some(stored) => deltas.push((stored, record.header.size)),
                None => return Ok(None),
            }
            revision = record.header.revision;
        }
        let (mut whole, mut deltas) = (whole, deltas.as_slice());
        loop {
            let mut rope = Rope::new(&whole);
            loop {
                let Some(((stored, size), rest)) = deltas.split_first() else { return take(&rope) };
                let is_first = rope.is_whole();
                if !is_first && rope.is_scattered(stored) {
                    break;
                }
                let size = usize::try_from(*size).ok();
                let Some(next) = size.and_then(|size| rope.apply(stored, size)) else {
                    return Ok(None);
                };
                (rope, deltas) = (next, rest);
            }
            let Some(joined) = rope.join() else { return Ok(None) };
            whole = joined;
        }
    }

    /// How much of the records that this one is made of is no more than holes in the file.
    pub(super) fn holes(&self, r: usize) -> Outcome<u64> {
        let first = self.records[..=r].iter().rposition(|it| it.header.kind == Kind::Full);
        let (from, end) = (first.unwrap_or(r), self.records[r].at + self.records[r].len);
        let (mut at, mut holes) = (self.records[from].at, 0);
        while at < end {
            let (is_data, until) = self.file.extent(at)?;
            let until = until.clamp(at + 1, end);
            holes += if is_data { 0 } else { until - at };
            at = until;
        }
        Ok(holes)
    }

    /// The stored bytes of a record; `None` if they are damaged. A base need not be checked by itself:
    /// the digest of what is made of it tells.
    fn stored(&self, record: &Record, check: bool) -> Result<Option<Vec<u8>>> {
        let header = &record.header;
        let Ok(len) = usize::try_from(header.stored) else { return Ok(None) };
        let data = self.file.read_at(record.at + header.stored_at(), len)?;
        let sound = !check
            || match header.kind {
                Kind::Full => Digest::of(&data) == header.digest,
                _ => stored_check(&data, self.header.salt) == header.check,
            };
        Ok(sound.then_some(data))
    }
}
