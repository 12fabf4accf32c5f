//! Making a commit durable, in the ring that is written or in a new one, and publishing it.

use std::io::Read;
use std::time::SystemTime;

use super::fence::Own;
use super::fresh::{Fresh, is_taken, padding, write};
use super::hint::{Published, Publisher};
use super::layout::{BLOCK, Place};
use super::record::{HEADER_LEN, Header, Kind, Record, stored_check};
use super::ring::{Payload, Ring};
use super::standing::Standing;
use super::tail::{AROUND, Tail};
use super::view::View;
use super::writer::Writer;
use crate::checkpoint::{CheckpointInfo, Digest, Labels, SaveOptions};
use crate::directory::journal::bytes::encoded_labels_len;
use crate::directory::{names, pieces};
use crate::error::{Error, Operation, Result};
use crate::sys::{Directory, Failure, found};

/// How often another number is tried for a new ring.
const ATTEMPTS: usize = 3;

/// What a save stores.
pub(super) struct Draft<'a> {
    pub header: Header,
    pub stored: &'a [u8],
}

impl Writer {
    pub(super) fn settle(&self, tail: &mut Tail, record: &Record) -> Result<()> {
        let mut view = View::new(&self.fence.session, Standing::empty(tail.journal));
        let Some(ring) = view.take_ring(record)? else { return Ok(()) };
        let header = &record.header;
        let mut again = draft(header.revision, header.saved, &header.labels);
        (again.kept, again.digest, again.size) = (header.kept, header.digest, header.size);
        (again.count, again.bytes) = (header.count, header.bytes);
        match ring.payload(record)? {
            Some(Payload::InMemory(data)) => {
                again.stored = again.size;
                self.begin_ring(tail, &Draft { header: again, stored: &data })?;
            }
            Some(Payload::InPlace) => {
                let (at, end) = (record.stored_at(), record.stored_at() + header.stored);
                let mut source = pieces::Part { file: ring.file, at, end };
                self.stream(tail, again, &mut source, None)?;
            }
            None if header.kind == Kind::Mark => {
                again.kind = Kind::Mark;
                self.begin_ring(tail, &Draft { header: again, stored: &[] })?;
            }
            None => (),
        }
        Ok(())
    }

    /// Makes a commit durable and publishes it.
    pub(super) fn put(&self, tail: &mut Tail, draft: Draft<'_>) -> Result<Record> {
        let len = self.blocks(&draft.header.labels, draft.stored.len() as u64)?;
        match tail.space(len, draft.header.kind) {
            Some(block) => self.write_into(tail, draft, block, len),
            None => self.begin_ring(tail, &draft),
        }
    }

    fn write_into(
        &self,
        tail: &mut Tail,
        draft: Draft<'_>,
        block: u32,
        len: u32,
    ) -> Result<Record> {
        let Some((own, _)) = &tail.ring else { return self.begin_ring(tail, &draft) };
        let (ring, salt) = (&own.ring, own.ring.salt);
        let place = Place { file: ring.number, block, blocks: len };
        let mut header = tail.next_header(draft.header);
        count(&mut header, tail, len);
        if header.kind == Kind::Delta {
            header.stored_check = stored_check(draft.stored, salt);
        }
        let record = write(&ring.file, salt, header, place, draft.stored)?;
        ring.file.sync_data().map_err(Failure::indeterminate)?;
        self.fence.confirm(own)?;
        self.settle_hint(tail, record.clone(), salt)?;
        Ok(record)
    }

    /// Begins a new ring with a commit.
    pub(super) fn begin_ring(&self, tail: &mut Tail, draft: &Draft<'_>) -> Result<Record> {
        let len = self.blocks(&draft.header.labels, draft.stored.len() as u64)?;
        let bytes = u64::from(len) * BLOCK;
        let wanted = tail.wanted(bytes);
        let attempt = |tail: &mut Tail, size: u64| {
            self.make_ring(tail, ATTEMPTS, |fresh, tail| {
                fresh.header.len = size;
                let place = Place { file: fresh.header.number, block: 1, blocks: len };
                let mut header = tail.next_header(draft.header.clone());
                count(&mut header, tail, len);
                fresh.extend(1 + len)?;
                let record = write(&fresh.file, fresh.header.salt, header, place, draft.stored)?;
                fresh.file.write_all_at(&[&fresh.header.first_block()], 0)?;
                Ok(record)
            })
        };
        match attempt(tail, wanted) {
            // The disk is nearly full: there may be room for this record alone.
            Err(error) if is_full(&error) && AROUND + bytes < wanted => {
                attempt(tail, AROUND + bytes)
            }
            outcome => outcome,
        }
    }

    /// Saves what a source gives in a new ring that is as long as it. `options` say what is kept, if `header`
    /// does not.
    pub(super) fn stream(
        &self,
        tail: &mut Tail,
        header: Header,
        source: &mut dyn Read,
        options: Option<&SaveOptions>,
    ) -> Result<CheckpointInfo> {
        let head = HEADER_LEN + encoded_labels_len(&header.labels);
        // What a source has given it does not give again.
        let record = self.make_ring(tail, 1, |fresh, tail| {
            let at = BLOCK + head as u64;
            let (size, digest) = pieces::copy(source, &fresh.file, at)?;
            let len = self.blocks(&header.labels, size)?;
            let mut header = Header { size, stored: size, digest, ..header.clone() };
            if let Some(options) = options {
                let (rule, saved) = (options.retention, header.saved);
                header.kept = tail.shrink(&self.fence.session, rule, len, size, saved)?;
            }
            let mut header = tail.next_header(header);
            count(&mut header, tail, len);
            fresh.header.len = AROUND + u64::from(len) * BLOCK;
            let place = Place { file: fresh.header.number, block: 1, blocks: len };
            let (head, check) = header.encode(fresh.header.salt, place.block);
            let end = padding(&head, size, place, check);
            fresh.file.write_all_at(&[&end], at + size)?;
            fresh.extend(1 + len)?;
            fresh.file.write_all_at(&[&fresh.header.first_block(), &head], 0)?;
            Ok(Record { header, check, place })
        })?;
        tail.deltas.previous = None;
        Ok(record.info())
    }

    fn make_ring(
        &self,
        tail: &mut Tail,
        attempts: usize,
        mut fill: impl FnMut(&mut Fresh<'_>, &mut Tail) -> Result<Record>,
    ) -> Result<Record> {
        let session = &self.fence.session;
        for attempt in 1.. {
            let mut fresh = Fresh::begin(session, tail, false)?;
            let record = match fill(&mut fresh, tail) {
                Ok(record) => record,
                Err(error) => {
                    fresh.discard();
                    return Err(error);
                }
            };
            match fresh.finish() {
                Err(error) if is_taken(&error) && attempt < attempts => {
                    tail.top = highest(session)?.max(tail.top);
                    // A ring above those of a successor would count in their place.
                    self.fence.check(tail.commit.revision)?;
                }
                outcome => {
                    let (own, end) = outcome?;
                    return self.go_on_in(tail, own, end, record);
                }
            }
        }
        Err(self.unsupported(Operation::HighRevision))
    }

    fn go_on_in(&self, tail: &mut Tail, own: Own, end: u32, record: Record) -> Result<Record> {
        self.fence.confirm(&own)?;
        let salt = own.ring.salt;
        tail.top = own.ring.number;
        tail.ring = Some((own, end));
        tail.deltas.previous = None;
        self.settle_hint(tail, record.clone(), salt)?;
        Ok(record)
    }

    /// Publishes a commit that is durable.
    fn settle_hint(&self, tail: &mut Tail, record: Record, salt: u64) -> Result<()> {
        tail.acknowledge(record);
        let published = tail.published(salt);
        self.publish(tail, published).map_err(|error| match error {
            // What is saved is durable, but nobody sees it before the next writer.
            Error::Storage { step, path, source } => Error::Indeterminate { step, path, source },
            Error::Conflict { .. } => self.fence.displaced(),
            error => error,
        })
    }

    /// Says which commit is the newest: in the hint, or in a new one if that is not this writer's alone any more.
    /// That takes more than one step, so the fence is asked before and behind it.
    pub(super) fn publish(&self, tail: &mut Tail, published: Published) -> Result<()> {
        let session = &self.fence.session;
        if let Some(publisher) = &mut tail.publisher
            && publisher.is_in_place(session)?
        {
            return Ok(publisher.publish(published)?);
        }
        self.fence.check(published.commit.revision)?;
        let is_claim = tail.is_claim && tail.publisher.is_none();
        if !is_claim {
            found(session.remove_file(names::HINT))?;
        }
        let lock = self.fence.held.lock.inode;
        tail.publisher = Some(Publisher::make(session, published, lock, is_claim)?);
        self.fence.check(published.commit.revision)
    }
}

/// A checkpoint that is stored whole, of which only this is known.
pub(super) fn draft(revision: u64, saved: SystemTime, labels: &Labels) -> Header {
    Header {
        kind: Kind::Full,
        lsn: 0,
        revision,
        kept: 0,
        stored: 0,
        size: 0,
        saved,
        digest: Digest::of(&[]),
        stored_check: 0,
        previous: Default::default(),
        jump: Default::default(),
        base: 0,
        count: 0,
        bytes: 0,
        labels: labels.clone(),
    }
}

/// Counts a checkpoint that takes so many blocks.
fn count(header: &mut Header, tail: &Tail, len: u32) {
    let before = tail.newest.as_ref().map(|it| (it.header.count, it.header.bytes));
    (header.count, header.bytes) = before.unwrap_or_default();
    if header.kind != Kind::Mark {
        header.count += 1;
        header.bytes += u64::from(len) * BLOCK;
    }
}

/// The salt of the ring with the newest commit; 0 if that is lost.
pub(super) fn salt_of_newest(session: &Directory, tail: &Tail) -> Result<u64> {
    let mut view = View::new(session, Standing::empty(tail.journal));
    Ok(view.ring(tail.top_ring())?.map_or(0, |ring: &Ring| ring.salt))
}

/// The highest number of any file of the journal.
fn highest(session: &Directory) -> Result<u64> {
    let entries = session.entries()?;
    let numbers = entries.iter().filter_map(|(name, _)| names::segment_number(name.to_str()?));
    Ok(numbers.max().unwrap_or(0))
}

fn is_full(error: &Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error, Error::Storage { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
}
