//! Saving: one write into blocks that were written before, and one flush.

use std::io::Read;
use std::sync::Arc;

use super::format::{BLOCK, Kind, RECORD_LEN, RecordHeader, encoded_labels_len, stored_check};
use super::segment::Segment;
use super::state::info;
use super::tail::Tail;
use super::{FIRST_SEGMENT, SEVERAL, close_record};
use crate::checkpoint::{CheckpointInfo, Digest, SaveOptions};
use crate::directory::{names, pieces};
use crate::error::{Error, Operation, Result, Subject};
use crate::id::SessionId;
use crate::revision::{HIGHEST, Revision};
use crate::sys::{Access, Directory, Disk, Failure, File, Outcome};

/// Segments up to this size are filled with zeros when they are made, so that each save costs one
/// flush. Larger ones grow with what is saved, for there the data costs more than the flush.
const PREFILLED: u64 = 8 << 20;
/// What a segment takes beside its records: its header, and the mark that its writer ended in order.
const LEAST: u64 = 2 * BLOCK;
/// A segment this many times larger than what is wanted is given back.
const TOO_LARGE: u64 = 16;
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

impl JournalWriter {
    pub(in crate::directory) fn open(
        session: Directory,
        id: SessionId,
        disk: Arc<dyn Disk>,
    ) -> Result<Self> {
        let mut tail = Tail::open(&session)?;
        clear_up(&mut tail, &session);
        Ok(Self { session, id, disk, tail: Some(tail), least: 0 })
    }

    /// Makes `data` the newest checkpoint.
    pub(in crate::directory) fn save(
        &mut self,
        data: &[u8],
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        self.change(options, |this, tail| this.append(tail, data, options))
    }

    /// Makes what a source gives the newest checkpoint.
    pub(in crate::directory) fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        self.change(options, |this, tail| this.stream(tail, source, options))
    }

    fn change(
        &mut self,
        options: &SaveOptions,
        save: impl FnOnce(&Self, &mut Tail) -> Result<CheckpointInfo>,
    ) -> Result<CheckpointInfo> {
        options.check()?;
        let mut tail = match self.tail.take() {
            Some(tail) => tail,
            None => Tail::open(&self.session)?,
        };
        tail.next = options.number.unwrap_or_else(|| tail.next.max(self.least));
        if tail.next.max(tail.next_sequence()) > HIGHEST {
            return Err(self.unsupported(Operation::HighRevision));
        }
        self.least = self.least.max(tail.next + 1);
        let found = Revision::from_number(tail.newest);
        if let Some(expected) = options.conflicts(found) {
            self.tail = Some(tail);
            return Err(Error::Conflict { id: self.id.clone(), expected, found });
        }
        // Where this fails, what is in memory is forgotten, and the next save looks what stands.
        let info = save(self, &mut tail)?;
        clear_up(&mut tail, &self.session);
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
        let digest = Digest::of(data);
        let mut header = self.header(tail, data.len() as u64, digest, options);
        (header.kind, header.stored) = (kind, stored.len() as u64);
        let len = header.len().ok_or_else(|| self.unsupported(Operation::Size))?;
        match tail.segments.last() {
            Some(segment) if segment.fits(len) && tail.outlives_damage(segment) => {
                if kind == Kind::Delta {
                    header.check = stored_check(stored, segment.header.salt);
                }
                let file = segment.file(&self.session, Access::Write)?;
                write(segment, &file, &header, stored, len)?;
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

    /// Saves in a new segment that is as long as what comes. The headers are written last.
    fn stream(
        &self,
        tail: &mut Tail,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        let (mut fresh, file) = self.begin(tail, LEAST)?;
        let (header, len) = self.put_in_place(&mut fresh, &file, |fresh| {
            let at = BLOCK + (RECORD_LEN + encoded_labels_len(&options.labels)) as u64;
            let (size, digest) = pieces::copy(source, &file, at)?;
            let header = self.header(tail, size, digest, options);
            let len = header.len().ok_or_else(|| self.unsupported(Operation::Size))?;
            fresh.capacity = LEAST + len;
            fresh.header.capacity = fresh.capacity;
            let padding = fresh.header.padding((BLOCK + len - at - size) as usize);
            file.write_all_at(&[&padding, &ZEROS], at + size)?;
            let (first, head) = (fresh.header.encode(), header.encode(fresh.header.salt));
            file.write_all_at(&[&first, &head], 0)?;
            Ok((header, len))
        })?;
        tail.go_on_in(fresh, file);
        let info = info(&header);
        tail.acknowledge(header, len, &[]);
        Ok(info)
    }

    /// The header of a record that stores the checkpoint whole.
    fn header(
        &self,
        tail: &mut Tail,
        size: u64,
        digest: Digest,
        options: &SaveOptions,
    ) -> RecordHeader {
        let saved = options.saved.unwrap_or_else(|| self.disk.now());
        RecordHeader {
            kind: Kind::Full,
            revision: tail.next,
            previous: tail.newest,
            kept: tail.give_up(options.retention, saved),
            stored: size,
            size,
            saved,
            digest,
            check: 0,
            labels: options.labels.clone(),
        }
    }

    /// Goes on in a segment that holds nothing that has to be kept, or in a new one.
    fn rotate(
        &self,
        tail: &mut Tail,
        header: &RecordHeader,
        stored: &[u8],
        len: u64,
    ) -> Result<()> {
        let wanted = wanted_capacity(len, tail.next_sequence());
        let least = if wanted > SEVERAL { LEAST + len } else { wanted };
        let outlived = tail.outlived();
        let fits = |&n: &usize| {
            let segment = &tail.segments[n];
            !segment.is_linked
                && (least..=wanted * TOO_LARGE).contains(&segment.capacity)
                && names::segment_number(&segment.name).is_some_and(|number| number >= outlived)
        };
        for n in tail.free().into_iter().filter(fits) {
            let file = tail.segments[n].reopen(&self.session, Access::Write)?;
            if file.metadata()?.links > 1 {
                continue;
            }
            let fresh = tail.next_use();
            let old = tail.segments.remove(n);
            let segment = Segment::fresh(old.name, fresh, old.capacity);
            write(&segment, &file, header, stored, len)?;
            tail.go_on_in(segment, file);
            return Ok(());
        }
        let (fresh, file) = match self.make(tail, header, stored, len, wanted) {
            // The disk is nearly full: there may be room for this record alone.
            Err(error) if is_full(&error) && LEAST + len < wanted => {
                self.make(tail, header, stored, len, LEAST + len)?
            }
            made => made?,
        };
        tail.go_on_in(fresh, file);
        Ok(())
    }

    /// Makes a new segment that begins with this record.
    fn make(
        &self,
        tail: &mut Tail,
        header: &RecordHeader,
        stored: &[u8],
        len: u64,
        capacity: u64,
    ) -> Result<(Segment, File)> {
        let (mut fresh, file) = self.begin(tail, capacity)?;
        self.put_in_place(&mut fresh, &file, |fresh| {
            if fresh.capacity <= PREFILLED {
                // Memory that was touched: of zeros that are not there yet, the system makes a cache
                // of the smallest pieces, and each save that goes into it takes longer.
                let zeros = ZEROS.repeat(((fresh.capacity - len) / BLOCK - 1) as usize);
                file.write_all_at(&[&zeros], BLOCK + len)?;
            } else {
                file.set_len(fresh.capacity)?;
            }
            Ok(write_unflushed(fresh, &file, header, stored, len)?)
        })?;
        Ok((fresh, file))
    }

    /// A new segment. It gets its name when it is whole: else a power cut could leave one that looks
    /// damaged.
    fn begin(&self, tail: &mut Tail, capacity: u64) -> Result<(Segment, File)> {
        let (header, mut slot) = (tail.next_use(), tail.outlived());
        // Of what is free and does not fit, nothing is needed any more. But a journal without any segment is
        // one that has lost all.
        while tail.segments.len() > 1
            && let Some(&n) = tail.free().first()
        {
            let gone = tail.segments.remove(n);
            self.session.remove_file(&gone.name)?;
        }
        while self.session.metadata(names::segment(slot))?.is_some() {
            slot += 1;
        }
        let file = self.session.open_file(names::NEW_SEGMENT, Access::CreateNew)?;
        Ok((Segment::fresh(names::segment(slot), header, capacity), file))
    }

    /// Fills a new segment with its first record, and makes it and its name durable.
    fn put_in_place<T>(
        &self,
        fresh: &mut Segment,
        file: &File,
        fill: impl FnOnce(&mut Segment) -> Result<T>,
    ) -> Result<T> {
        let filled = fill(fresh)
            .and_then(|filled| {
                file.sync()?;
                self.session.rename(names::NEW_SEGMENT, &fresh.name)?;
                Ok(filled)
            })
            .inspect_err(|_| {
                let _ = self.session.remove_file(names::NEW_SEGMENT);
            })?;
        if let Err(failure) = self.session.sync() {
            // A later flush may not make this name durable: what would be saved behind it would be lost.
            let taken_back = (self.session.rename(&fresh.name, names::NEW_SEGMENT))
                .and_then(|()| self.session.sync());
            return Err(match taken_back {
                Ok(()) => failure.into(),
                Err(_) => failure.indeterminate(),
            });
        }
        Ok(filled)
    }

    fn unsupported(&self, operation: Operation) -> Error {
        Error::Unsupported { operation, subject: Subject::Session(self.id.clone()) }
    }

    /// Says that the writer ended in order. Not flushed: where it gets lost, the next writer takes a closer
    /// look, and that is all.
    pub(in crate::directory) fn close(&mut self) {
        if let Some(segment) = self.tail.as_ref().and_then(|tail| tail.segments.last())
            && let Some(newest) = segment.newest()
            && segment.closed.is_none()
            && segment.can_close()
            && let Ok(file) = segment.file(&self.session, Access::Write)
        {
            let close = close_record(newest.header.revision, segment.header.salt);
            let _ = file.write_all_at(&[&close], segment.end);
        }
    }
}

/// Whether there was no room for a new segment. Of one that has its name already nothing is given back.
fn is_full(error: &Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let Error::Storage { path, source, .. } = error else { return false };
    path.ends_with(names::NEW_SEGMENT) && matches!(source.kind(), StorageFull | QuotaExceeded)
}

/// Nobody misses what may go wrong here: it is done again after the next save, and by the next writer.
fn clear_up(tail: &mut Tail, session: &Directory) {
    if let Err(Failure { source, .. }) = tail.move_damaged_aside(session) {
        tracing::warn!(error = %source, "a damaged segment could not be moved aside");
    }
}

/// Writes a record, and flushes it.
fn write(
    segment: &Segment,
    file: &File,
    header: &RecordHeader,
    stored: &[u8],
    len: u64,
) -> Result<()> {
    if let Err(failure) = write_unflushed(segment, file, header, stored, len) {
        // All of it may be there but for the padding, on the disk too. It must not be seen if it was not saved.
        let erased = file.write_all_at(&[&ZEROS], segment.end).and_then(|()| file.sync_data());
        return Err(match erased {
            Ok(()) => failure.into(),
            Err(_) => failure.indeterminate(),
        });
    }
    file.sync_data().map_err(Failure::indeterminate)
}

/// Writes a record in one call, with the segment's header if it is the first of its use.
fn write_unflushed(
    segment: &Segment,
    file: &File,
    header: &RecordHeader,
    stored: &[u8],
    len: u64,
) -> Outcome<()> {
    let head = header.encode(segment.header.salt);
    let padding = len as usize - head.len() - stored.len();
    if segment.end == BLOCK {
        let (first, padding) = (segment.header.encode(), segment.header.padding(padding));
        file.write_all_at(&[&first, &head, stored, &padding], 0)
    } else {
        file.write_all_at(&[&head, stored, &ZEROS[..padding]], segment.end)
    }
}

/// Small checkpoints get room for several, and for more of them the longer the journal is in use: the
/// header that each use of a segment begins with then counts for little. Large ones get room for two,
/// or for one and its deltas.
fn wanted_capacity(len: u64, sequence: u64) -> u64 {
    let room = |records: u64| (LEAST + records * len).next_power_of_two().max(2 * FIRST_SEGMENT);
    match room(7) {
        0..=SEVERAL => room(7 << (sequence / 8).min(4)).min(SEVERAL),
        _ => (LEAST + 2 * len).next_multiple_of(SEVERAL),
    }
}
