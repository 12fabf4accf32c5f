//! Saving: one write into blocks that were written before, and one flush.

use std::sync::Arc;
use std::time::SystemTime;

use super::deltas::Deltas;
use super::format::{
    BLOCK, Kind, LABELS_MAX, RECORD_LEN, RecordHeader, SegmentHeader, encoded_labels_len,
    stored_check,
};
use super::segment::{Record, Segment};
use super::state::{Journal, info};
use super::{FIRST_SEGMENT, close_record, number, retention};
use crate::checkpoint::{CheckpointInfo, Digest, Retention, Revision, SaveOptions};
use crate::directory::{move_aside, names};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::sys::{Access, Directory, Disk, Failure, Outcome};

/// Segments up to this size are filled with zeros when they are made, so that each save costs one
/// flush. Larger ones grow with what is saved, for there the data costs more than the flush.
const PREFILLED: u64 = 8 << 20;
/// Segments up to this size hold several checkpoints.
const SEVERAL: u64 = 1 << 20;
/// A segment this many times larger than what is wanted is given back.
const TOO_LARGE: u64 = 16;
/// How much of a record is in memory while it is written again.
const MOST_AT_ONCE: u64 = 1 << 20;
const ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];

/// The writer of a journal.
#[derive(Debug)]
pub(in crate::directory) struct JournalWriter {
    session: Directory,
    id: SessionId,
    disk: Arc<dyn Disk>,
    /// `None` after a save that failed: the next one finds out what stands.
    tail: Option<Tail>,
    /// Higher than any number that a save which failed may have shown to a reader.
    least: u64,
}

/// Where the journal goes on.
#[derive(Debug)]
struct Tail {
    /// From the oldest to the newest; records are appended to the last one.
    segments: Vec<Segment>,
    journal: u64,
    /// The newest revision that was acknowledged, even if it was damaged since.
    newest: u64,
    /// The next one to be given.
    next: u64,
    /// The oldest revision that is kept, as the newest record says.
    kept: u64,
    deltas: Deltas,
}

impl JournalWriter {
    pub(in crate::directory) fn open(
        session: Directory,
        id: SessionId,
        disk: Arc<dyn Disk>,
    ) -> Result<Self> {
        let tail = Some(Tail::open(&session)?);
        Ok(Self { session, id, disk, tail, least: 0 })
    }

    /// Makes `data` the newest checkpoint.
    pub(in crate::directory) fn save(
        &mut self,
        data: &[u8],
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        if encoded_labels_len(&options.labels) > LABELS_MAX {
            return Err(self.unsupported("more than 3000 bytes of labels"));
        }
        let mut tail = match self.tail.take() {
            Some(tail) => tail,
            None => Tail::open(&self.session)?,
        };
        tail.next = options.number.unwrap_or_else(|| tail.next.max(self.least));
        self.least = self.least.max(tail.next + 1);
        let found = Revision::from_number(tail.newest);
        if let Some(expected) = options.conflicts(found) {
            self.tail = Some(tail);
            return Err(Error::Conflict { id: self.id.clone(), expected, found });
        }
        // Where this fails, what is in memory is forgotten, and the next save looks what stands.
        let info = self.append(&mut tail, data, options)?;
        self.tail = Some(tail);
        Ok(info)
    }

    fn append(
        &self,
        tail: &mut Tail,
        data: &[u8],
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        let delta = tail.delta(data, encoded_labels_len(&options.labels));
        let (kind, stored) = match &delta {
            Some(delta) => (Kind::Delta, delta.as_slice()),
            None => (Kind::Full, data),
        };
        let saved = options.saved.unwrap_or_else(|| self.disk.now());
        let mut header = RecordHeader {
            kind,
            revision: tail.next,
            previous: tail.newest,
            kept: tail.oldest_kept(options.retention, saved),
            stored: stored.len() as u64,
            size: data.len() as u64,
            saved,
            digest: Digest::of(data),
            check: 0,
            labels: options.labels.clone(),
        };
        let len = header.len().ok_or_else(|| self.unsupported("a checkpoint of this size"))?;
        match tail.segments.last() {
            Some(segment) if segment.fits(len) => {
                if kind == Kind::Delta {
                    header.check = stored_check(stored, segment.header.salt);
                }
                write(segment, &header, stored, len)?;
            }
            _ if kind == Kind::Delta => {
                // A segment begins with a whole checkpoint.
                tail.deltas.previous = None;
                return self.append(tail, data, options);
            }
            _ => self.rotate(tail, &header, stored, len)?,
        }
        let info = info(&header);
        tail.acknowledge(header, len, data);
        Ok(info)
    }

    /// Goes on in a segment that holds nothing that has to be kept, or in a new one.
    fn rotate(
        &self,
        tail: &mut Tail,
        header: &RecordHeader,
        stored: &[u8],
        len: u64,
    ) -> Result<()> {
        let sequence = tail.segments.last().map_or(0, |segment| segment.header.sequence) + 1;
        let fresh = SegmentHeader { sequence, salt: number(), journal: tail.journal };
        let wanted = wanted_capacity(len);
        let free = tail.free();
        let fits = |&n: &usize| {
            let capacity = tail.segments[n].capacity;
            (BLOCK + len..=wanted * TOO_LARGE).contains(&capacity)
        };
        if let Some(n) = free.iter().copied().find(fits) {
            let old = tail.segments.remove(n);
            let segment = Segment::fresh(old.file, old.name, fresh, old.capacity);
            write(&segment, header, stored, len)?;
            tail.segments.push(segment);
            return Ok(());
        }
        // Of what is free and does not fit, nothing is needed any more.
        for n in free.into_iter().rev() {
            let gone = tail.segments.remove(n);
            self.session.remove_file(&gone.name)?;
        }
        let name = self.free_name()?;
        // It gets its name when it is whole: else a power cut could leave one that looks damaged.
        let file = self.session.open_file(names::NEW_SEGMENT, Access::CreateNew)?;
        let segment = Segment::fresh(file, name, fresh, wanted);
        self.make(&segment, header, stored, len)
            .and_then(|()| self.session.rename(names::NEW_SEGMENT, &segment.name))
            .inspect_err(|_| {
                let _ = self.session.remove_file(names::NEW_SEGMENT);
            })?;
        if let Err(failure) = self.session.sync() {
            // A later flush may not make this name durable: what would be saved behind it would be lost.
            let taken_back = (self.session.rename(&segment.name, names::NEW_SEGMENT))
                .and_then(|()| self.session.sync());
            return Err(match taken_back {
                Ok(()) => failure.into(),
                Err(_) => failure.indeterminate(),
            });
        }
        tail.segments.push(segment);
        Ok(())
    }

    fn free_name(&self) -> Result<String> {
        let mut slot = 0;
        while self.session.metadata(names::segment(slot))?.is_some() {
            slot += 1;
        }
        Ok(names::segment(slot))
    }

    /// Writes a new segment with its first record.
    fn make(
        &self,
        segment: &Segment,
        header: &RecordHeader,
        stored: &[u8],
        len: u64,
    ) -> Outcome<()> {
        if segment.capacity <= PREFILLED {
            // Memory that was touched: of zeros that are not there yet, the system makes a cache of
            // the smallest pieces, and each save that goes into it takes longer.
            let zeros = ZEROS.repeat(((segment.capacity - len) / BLOCK - 1) as usize);
            segment.file.write_all_at(&[&zeros], BLOCK + len)?;
        } else {
            segment.file.set_len(segment.capacity)?;
        }
        write_unflushed(segment, header, stored, len)?;
        segment.file.sync()
    }

    fn unsupported(&self, what: &'static str) -> Error {
        Error::Unsupported { what, place: format!("the journal of session '{}'", self.id) }
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        // Not flushed: where it gets lost, the next writer takes a closer look, and that is all.
        if let Some(segment) = self.tail.as_ref().and_then(|tail| tail.segments.last())
            && let Some(newest) = segment.newest().filter(|_| segment.closed.is_none())
        {
            let close = close_record(newest.header.revision, segment.header.salt);
            let _ = segment.file.write_all_at(&[&close], segment.end);
        }
    }
}

impl Tail {
    /// Finds out what stands, and makes it durable if the last writer did not end in order.
    fn open(session: &Directory) -> Result<Self> {
        let mut journal = Journal::open(session, Access::Write)?;
        if journal.is_unfinished {
            session.remove_file(names::NEW_SEGMENT)?;
        }
        let mut skipped = 0;
        for (name, capacity) in journal.damaged.drain(..) {
            // It may have held the newest revisions. Their numbers are not given again.
            skipped += capacity / BLOCK + 1;
            let place = move_aside(session, &name, names::SEGMENT_ASIDE)?;
            tracing::warn!(kept = %place.display(), "a segment of the journal is damaged");
        }
        let newest = journal.newest_good()?;
        let seen = journal.places().next().map_or(0, |it| journal.record(it).header.revision);
        let good = newest.as_ref().map_or(0, |(it, _)| journal.record(*it).header.revision);
        let proven = journal.proven().max(good);
        let mut tail = Self {
            journal: journal.segments.last().map_or_else(number, |it| it.header.journal),
            segments: journal.segments,
            newest: proven,
            kept: 0,
            next: seen.max(proven) + 1 + skipped,
            deltas: Deltas::default(),
        };
        let good_records = tail.segments.iter().flat_map(|segment| &segment.records);
        let good_records = good_records.filter(|record| record.header.revision <= good);
        tail.kept = good_records.map(|record| record.header.kept).max().unwrap_or(0);
        let in_order = tail.segments.last().is_some_and(|it| it.closed == Some(good));
        if !in_order {
            // A reader may have seen the one that was being saved: its number is not given again.
            tail.next += 1;
        }
        let Some(((s, r), data)) = newest else {
            tail.drop_behind(0, 0);
            return Ok(tail);
        };
        tail.drop_behind(s, r + 1);
        if !in_order {
            settle(&tail.segments[s], r)?;
            // Nor may the name of its segment have been flushed.
            session.sync()?;
        }
        if s + 1 == tail.segments.len() {
            tail.deltas.resume(&tail.segments[s], data);
        }
        Ok(tail)
    }

    /// What follows the newest good record, from this place on, was cut short when its writer was
    /// killed, and is written over; or it was acknowledged and is damaged: then that segment stays as
    /// it is.
    fn drop_behind(&mut self, s: usize, r: usize) {
        for (n, segment) in self.segments.iter_mut().enumerate().skip(s) {
            let keep = if n == s { r } else { 0 };
            if segment.records.get(keep).is_some_and(|it| it.header.revision <= self.newest) {
                segment.gaps = true;
            }
            if !segment.gaps {
                segment.records.truncate(keep);
                segment.end = segment.newest().map_or(BLOCK, |it| it.at + it.len);
            }
        }
    }

    /// The oldest revision that has to be kept from now on.
    fn oldest_kept(&self, retention: Retention, now: SystemTime) -> u64 {
        retention::oldest_kept(&self.segments, retention, now).min(self.next).max(self.kept)
    }

    /// The segments that hold nothing which is kept. Records that last say so: else a power cut in the
    /// middle of writing them over would look like damage.
    fn free(&self) -> Vec<usize> {
        let free =
            |segment: &Segment| segment.newest().is_none_or(|it| it.header.revision < self.kept);
        (0..self.segments.len()).filter(|&n| free(&self.segments[n])).collect()
    }

    /// The delta to `data`, if one pays.
    fn delta(&mut self, data: &[u8], labels: usize) -> Option<Vec<u8>> {
        let head = RECORD_LEN + labels;
        let whole = ((head + data.len()) as u64).next_multiple_of(BLOCK);
        self.deltas.make(data, head as u64, whole)
    }

    fn acknowledge(&mut self, header: RecordHeader, len: u64, data: &[u8]) {
        (self.newest, self.next) = (header.revision, header.revision + 1);
        self.kept = header.kept;
        self.deltas.note(header.kind, len, data);
        if let Some(segment) = self.segments.last_mut() {
            let at = segment.end;
            segment.records.push(Record { header, at, len });
            segment.end = at + len;
            segment.closed = None;
        }
    }
}

/// Makes a record durable by writing it again, since the flush of it may have failed.
fn settle(segment: &Segment, r: usize) -> Outcome<()> {
    let record = &segment.records[r];
    let mut done = 0;
    while done < record.len {
        let len = MOST_AT_ONCE.min(record.len - done);
        let bytes = segment.file.read_at(record.at + done, len as usize)?;
        segment.file.write_all_at(&[&bytes], record.at + done)?;
        done += len;
    }
    segment.file.write_all_at(&[&segment.header.encode()], 0)?;
    segment.file.sync()
}

/// Writes a record, and flushes it.
fn write(segment: &Segment, header: &RecordHeader, stored: &[u8], len: u64) -> Result<()> {
    if let Err(failure) = write_unflushed(segment, header, stored, len) {
        // All of it may be there but for the padding. It must not be seen if it was not saved.
        return Err(match segment.file.write_all_at(&[&ZEROS], segment.end) {
            Ok(()) => failure.into(),
            Err(_) => failure.indeterminate(),
        });
    }
    segment.file.sync_data().map_err(Failure::indeterminate)
}

/// Writes a record in one call, with the segment's header if it is the first of its use.
fn write_unflushed(
    segment: &Segment,
    header: &RecordHeader,
    stored: &[u8],
    len: u64,
) -> Outcome<()> {
    let head = header.encode(segment.header.salt);
    let padding = &ZEROS[..len as usize - head.len() - stored.len()];
    if segment.end == BLOCK {
        let first = segment.header.encode();
        segment.file.write_all_at(&[&first, &head, stored, padding], 0)
    } else {
        segment.file.write_all_at(&[&head, stored, padding], segment.end)
    }
}

/// Small checkpoints get room for several; large ones for two, or for one and its deltas.
fn wanted_capacity(len: u64) -> u64 {
    let several = (BLOCK + 7 * len).next_power_of_two().max(2 * FIRST_SEGMENT);
    if several <= SEVERAL { several } else { (BLOCK + 2 * len).next_multiple_of(1 << 20) }
}
