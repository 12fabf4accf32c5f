//! Where a journal goes on: what a writer knows of it.

use std::io;
use std::time::SystemTime;

use super::deltas::Deltas;
use super::format::{BLOCK, RECORD_LEN, RecordHeader, SegmentHeader};
use super::retention::Window;
use super::segment::{Record, Segment};
use super::state::{Journal, Payload};
use super::{SEVERAL, number};
use crate::checkpoint::Retention;
use crate::directory::aside::move_aside;
use crate::directory::names;
use crate::error::{Error, Result, Step};
use crate::sys::{Access, Directory, Failure, File, Outcome};

/// How much of a record is in memory while it is written again.
const MOST_AT_ONCE: u64 = 1 << 20;

/// Where the journal goes on.
#[derive(Debug)]
pub(super) struct Tail {
    /// From the oldest to the newest; records are appended to the last one.
    pub segments: Vec<Segment>,
    pub journal: u64,
    /// The newest revision that was acknowledged, even if it was damaged since.
    pub newest: u64,
    /// The next one to be given.
    pub next: u64,
    /// The oldest revision that is kept, as the newest record says.
    kept: u64,
    window: Window,
    pub deltas: Deltas,
    /// Files of segments whose headers are lost. They stay where they are until something newer is
    /// saved, behind a header that says so: without them nobody could tell that the newest may be lost.
    damaged: Vec<String>,
}

impl Tail {
    /// Finds out what stands, and makes it durable if the last writer did not end in order.
    pub(super) fn open(session: &Directory) -> Result<Self> {
        let journal = Journal::open(session, Access::Write)?;
        if journal.is_unfinished {
            session.remove_file(names::NEW_SEGMENT)?;
        }
        // They may have held the newest revisions. Their numbers are not given again.
        let in_damaged = journal.damaged.iter().map(|(_, capacity)| SEVERAL.max(*capacity));
        let in_cut = journal.segments.iter().filter(|it| !it.is_whole());
        let in_cut = in_cut.map(|it| it.header.capacity.saturating_sub(it.end));
        let in_missing = journal.is_without_files().then_some(SEVERAL);
        let skipped = in_damaged.chain(in_cut).chain(in_missing);
        let skipped: u64 = skipped.map(|bytes| bytes / BLOCK + 1).sum();
        let newest = journal.newest_good(Journal::payload)?;
        let seen = journal.places(0).next().map_or(0, |it| journal.record(it).header.revision);
        let place = newest.as_ref().map(|(place, _)| *place);
        let good = place.map_or(0, |it| journal.record(it).header.revision);
        let kept = journal.oldest_kept(place);
        let proven = journal.proven().max(good);
        let mut tail = Self {
            journal: journal.segments.last().map_or_else(number, |it| it.header.journal),
            segments: journal.segments,
            newest: proven,
            kept,
            window: Window::default(),
            next: seen.max(proven) + 1 + skipped,
            deltas: Deltas::default(),
            damaged: journal.damaged.into_iter().map(|(name, _)| name).collect(),
        };
        // However it came to be: what is saved now is not among what was given up.
        tail.next = tail.next.max(tail.kept);
        let in_order = tail.segments.last().is_some_and(|it| it.closed == Some(good));
        if !in_order {
            // A reader may have seen the one that was being saved: its number is not given again.
            tail.next += 1;
        }
        let Some(((s, r), payload)) = newest else {
            tail.drop_behind(session, 0, 0)?;
            return Ok(tail);
        };
        tail.drop_behind(session, s, r + 1)?;
        for record in tail.segments.iter().flat_map(|segment| &segment.records) {
            if record.header.revision >= tail.kept {
                tail.window.push(record);
            }
        }
        if !in_order {
            settle(&tail.segments[s], session, r)?;
            // Nor may the name of its segment have been flushed.
            session.sync()?;
        } else if tail.segments[s].records[r].header.kept < tail.kept {
            // A segment's header says so. The flush of that may have failed, and before it nothing may be
            // written over.
            let segment = &tail.segments[s];
            settle_header(&segment.header, &*segment.file(session, Access::Write)?)?;
        }
        if let (true, Payload::InMemory(data)) = (s + 1 == tail.segments.len(), payload) {
            tail.deltas.resume(&tail.segments[s], data);
        }
        Ok(tail)
    }

    /// What follows the newest good record, from this place on, was cut short when its writer was
    /// killed, and is written over; or it was acknowledged and is damaged: then that segment stays as
    /// it is.
    ///
    /// The headers of what is dropped are erased, and that is flushed, before anything is written over them: a
    /// crash in the middle of that could otherwise leave a whole of what both wrote.
    fn drop_behind(&mut self, session: &Directory, s: usize, r: usize) -> Outcome<()> {
        for (n, segment) in self.segments.iter_mut().enumerate().skip(s) {
            let keep = if n == s { r } else { 0 };
            let Some(first) = segment.records.get(keep) else {
                segment.end = segment.newest().map_or(BLOCK, |it| it.at + it.len);
                continue;
            };
            segment.gaps |= first.header.revision <= self.newest || segment.is_linked;
            if !segment.gaps {
                let file = segment.file(session, Access::Write)?;
                for dropped in &segment.records[keep..] {
                    file.write_all_at(&[&[0; BLOCK as usize]], dropped.at)?;
                }
                file.sync_data()?;
                segment.records.truncate(keep);
                segment.end = segment.newest().map_or(BLOCK, |it| it.at + it.len);
            }
        }
        Ok(())
    }

    /// Files of lower numbers are not written any more: see [`SegmentHeader::outlived`].
    pub(super) fn outlived(&self) -> u64 {
        let promised = self.segments.iter().map(|it| it.header.outlived).max().unwrap_or(0);
        if self.damaged.is_empty() {
            return promised;
        }
        let all = self.damaged.iter().chain(self.segments.iter().map(|it| &it.name));
        let highest = all.filter_map(|name| names::segment_number(name)).max().unwrap_or(0);
        promised.max(highest.saturating_add(1)).min((1 << 48) - 1)
    }

    /// Whether what is saved in this segment is newer than all that is damaged, for everybody to see.
    pub(super) fn outlives_damage(&self, segment: &Segment) -> bool {
        let outlived = |name: &String| {
            names::segment_number(name).is_some_and(|number| number < segment.header.outlived)
        };
        self.damaged.iter().all(outlived)
    }

    /// Moves damaged segments aside, once something newer than what they may have held is saved.
    pub(super) fn move_damaged_aside(&mut self, session: &Directory) -> Outcome<()> {
        let mut saved = self.segments.iter().filter(|it| it.newest().is_some());
        if !saved.any(|it| self.outlives_damage(it)) {
            return Ok(());
        }
        while let Some(name) = self.damaged.last() {
            let place = move_aside(session, name, names::SEGMENT_ASIDE)?;
            tracing::warn!(kept = %place.display(), "a segment of the journal is damaged");
            self.damaged.pop();
        }
        Ok(())
    }

    /// The header of the segment that is written next.
    pub(super) fn next_use(&self) -> SegmentHeader {
        let sequence = self.next_sequence();
        let outlived = if self.damaged.is_empty() { 0 } else { self.outlived() };
        let (salt, journal) = (number(), self.journal);
        // How long it is the segment knows.
        SegmentHeader { sequence, salt, journal, outlived, kept: 0, capacity: 0 }
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.header.sequence) + 1
    }

    /// Gives up what this rule does not keep. Gives the oldest revision that it does.
    pub(super) fn give_up(&mut self, retention: Retention, now: SystemTime) -> u64 {
        self.window.shrink(retention, now).map_or(self.kept, |oldest| oldest.max(self.kept))
    }

    /// Gives up the revisions before this one, if it is not newer than the newest: the header of the segment
    /// that holds that one says so. Nothing is allocated, for the disk may be full.
    pub(super) fn give_up_before(&mut self, session: &Directory, revision: u64) -> Result<()> {
        let newest = self.segments.iter_mut().rfind(|it| it.newest_revision() >= revision);
        let Some(segment) = newest.filter(|_| revision > self.kept) else { return Ok(()) };
        if segment.is_linked {
            let path = session.path().join(&segment.name);
            let source = io::Error::other("it has a second name (a hard link)");
            return Err(Error::Storage { step: Step::Write, path, source });
        }
        let before = std::mem::replace(&mut segment.header.kept, revision);
        let (header, file) = (segment.header, segment.file(session, Access::Write)?);
        if let Err(failure) = write_header(&header, &file) {
            // A part of it may be there. It must not be seen if it was not done.
            let header = SegmentHeader { kept: before, ..header };
            return Err(match write_header(&header, &file).and_then(|()| file.sync_data()) {
                Ok(()) => failure.into(),
                Err(_) => failure.indeterminate(),
            });
        }
        self.kept = revision;
        file.sync().map_err(Failure::indeterminate)
    }

    /// Goes on in this segment, and closes the file of the one before.
    pub(super) fn go_on_in(&mut self, segment: Segment, file: File) {
        if let Some(last) = self.segments.last_mut() {
            last.open = None;
        }
        self.segments.push(Segment { open: Some(file), ..segment });
    }

    /// The segments that hold nothing which is kept. Records that last say so: else a power cut in the
    /// middle of writing them over would look like damage.
    pub(super) fn free(&self) -> Vec<usize> {
        let free =
            |segment: &Segment| segment.newest().is_none_or(|it| it.header.revision < self.kept);
        (0..self.segments.len()).filter(|&n| free(&self.segments[n])).collect()
    }

    /// The delta to `data`, if one pays.
    pub(super) fn delta(&mut self, data: &[u8], labels: usize) -> Option<Vec<u8>> {
        let head = RECORD_LEN + labels;
        let whole = ((head + data.len()) as u64).next_multiple_of(BLOCK);
        self.deltas.make(data, head as u64, whole)
    }

    /// Notes what was saved. `data` is the checkpoint, or nothing if it is not to be in memory.
    pub(super) fn acknowledge(&mut self, header: RecordHeader, len: u64, data: &[u8]) {
        (self.newest, self.next) = (header.revision, header.revision + 1);
        self.kept = header.kept;
        self.deltas.note(header.kind, len, data);
        if let Some(segment) = self.segments.last_mut() {
            let at = segment.end;
            let record = Record { header, at, len };
            self.window.push(&record);
            segment.records.push(record);
            segment.end = at + len;
            segment.closed = None;
        }
    }
}

/// Makes a record durable by writing it again, since the flush of it may have failed.
fn settle(segment: &Segment, session: &Directory, r: usize) -> Outcome<()> {
    let (record, file) = (&segment.records[r], segment.file(session, Access::Write)?);
    let mut done = 0;
    while done < record.len {
        let len = MOST_AT_ONCE.min(record.len - done);
        let bytes = file.read_at(record.at + done, len as usize)?;
        file.write_all_at(&[&bytes], record.at + done)?;
        done += len;
    }
    settle_header(&segment.header, &file)
}

fn settle_header(header: &SegmentHeader, file: &File) -> Outcome<()> {
    write_header(header, file)?;
    file.sync()
}

fn write_header(header: &SegmentHeader, file: &File) -> Outcome<()> {
    file.write_all_at(&[&header.encode()], 0)
}
