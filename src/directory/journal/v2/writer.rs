//! Saving: one write into a ring, one flush, and then the hint.

use std::io::Read;
use std::sync::Arc;

use super::commit::{Draft, draft, salt_of_newest};
use super::fence::{Fence, Named};
use super::hint::Published;
use super::layout::BLOCK;
use super::record::{HEADER_LEN, Kind, TRAILER_LEN, blocks};
use super::standing::Standing;
use super::tail::Tail;
use super::view::View;
use crate::backend::GivenUp;
use crate::checkpoint::{CheckpointInfo, Digest, Labels, SaveOptions};
use crate::directory::journal::Held;
use crate::directory::journal::bytes::encoded_labels_len;
use crate::directory::names;
use crate::error::{Error, Operation, Result, Subject};
use crate::id::SessionId;
use crate::revision::{HIGHEST, Revision};
use crate::stream::IN_MEMORY;
use crate::sys::{Directory, Disk, Failure};

/// The writer of a journal of version 2.
#[derive(Debug)]
pub(in crate::directory) struct Writer {
    pub(super) fence: Fence,
    disk: Arc<dyn Disk>,
    /// `None` after a save that failed: the next one finds out what stands.
    tail: Option<Tail>,
}

impl Writer {
    /// Takes a journal over; `None` if it is none of version 2. `held` is the place of the writer.
    pub(in crate::directory) fn open(
        session: Directory,
        id: SessionId,
        disk: Arc<dyn Disk>,
        held: Held,
    ) -> Result<Option<Self>> {
        let fence = Fence { session, id, held };
        let writer = Self { fence, disk, tail: None };
        let Some(tail) = writer.take_over()? else { return Ok(None) };
        Ok(Some(Self { tail: Some(tail), ..writer }))
    }

    /// Makes `data` the newest checkpoint.
    pub(in crate::directory) fn save(
        &mut self,
        data: &[u8],
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        self.change(options, |this, tail| this.append(tail, data, options))
    }

    /// Makes what a source gives the newest checkpoint, in a ring of its length.
    pub(in crate::directory) fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        self.change(options, |this, tail| {
            let saved = options.saved.unwrap_or_else(|| this.disk.now());
            let draft = draft(tail.next, saved, &options.labels);
            let options = Some(options);
            this.stream(tail, draft, source, options)
        })
    }

    /// Gives up the revisions before this one, and deletes the rings that hold nothing else.
    pub(in crate::directory) fn discard_before(&mut self, revision: u64) -> Result<GivenUp> {
        let mut tail = self.tail()?;
        let newest = tail.checkpoint.as_ref().map_or(0, |it| it.header.revision);
        if (tail.kept + 1..=newest).contains(&revision) {
            self.mark(&mut tail, revision)?;
        }
        tail.cleared = 0;
        let given_up = self.delete_free(&mut tail)?;
        self.tail = Some(tail);
        Ok(given_up)
    }

    /// Says in a commit of its own that the revisions before this one are given up.
    fn mark(&self, tail: &mut Tail, revision: u64) -> Result<()> {
        self.prepare(tail)?;
        let Some(newest) = tail.newest.clone() else { return Ok(()) };
        let mut view = View::new(&self.fence.session, Standing::empty(tail.journal));
        tail.window.drop_before(&mut view, &newest, revision)?;
        let mut header = draft(newest.header.revision, newest.header.saved, &Labels::new());
        (header.kind, header.kept) = (Kind::Mark, revision);
        self.put(tail, Draft { header, stored: &[] }).map(drop)
    }

    /// Says that the writer ended in order, if it has said anything. Not flushed: where it gets lost, the next
    /// writer takes a closer look, and that is all.
    pub(in crate::directory) fn close(&mut self) {
        if let Some(tail) = &mut self.tail
            && tail.ring.is_some()
            && let Some(publisher) = &mut tail.publisher
            && publisher.is_exact()
            && !publisher.published().is_closed
        {
            let published = Published { is_closed: true, ..publisher.published() };
            let _ = publisher.publish(published);
        }
    }

    fn tail(&mut self) -> Result<Tail> {
        match self.tail.take() {
            Some(tail) => Ok(tail),
            None => {
                self.fence.check(0)?;
                let gone = || Failure::gone(&self.fence.session.path().join(names::HINT));
                Ok(self.take_over()?.ok_or_else(gone)?)
            }
        }
    }

    /// Finds where the journal goes on. What is whole and not settled is saved again, under its number.
    fn take_over(&self) -> Result<Option<Tail>> {
        let session = &self.fence.session;
        let Some((mut tail, unsettled)) = Tail::find(session, self.fence.held)? else {
            return Ok(None);
        };
        match unsettled {
            // A claim shows the hint of its own only when it has saved what the displaced writer may have
            // acknowledged.
            Some(record) if tail.is_claim => self.settle(&mut tail, &record)?,
            Some(record) => {
                self.prepare(&mut tail)?;
                self.settle(&mut tail, &record)?;
            }
            None => (),
        }
        Ok(Some(tail))
    }

    fn change(
        &mut self,
        options: &SaveOptions,
        save: impl FnOnce(&Self, &mut Tail) -> Result<CheckpointInfo>,
    ) -> Result<CheckpointInfo> {
        options.check()?;
        let mut tail = self.tail()?;
        let next = tail.next;
        tail.next = options.number.unwrap_or(next);
        if tail.next.max(tail.commit.lsn + 1) > HIGHEST {
            return Err(self.unsupported(Operation::HighRevision));
        }
        let found = Revision::from_number(tail.commit.revision);
        if let Some(expected) = options.conflicts(found) {
            tail.next = next;
            self.tail = Some(tail);
            return Err(Error::Conflict { id: self.fence.id.clone(), expected, found });
        }
        // Where this fails, what is in memory is forgotten, and the next save looks what stands.
        self.prepare(&mut tail)?;
        let info = save(self, &mut tail)?;
        self.clear_up(&mut tail);
        self.tail = Some(tail);
        Ok(info)
    }

    /// Looks whether the names are still this writer's, and says that it is at work. Where that takes more than
    /// a look, it looks again: a displaced writer must have but one step in flight.
    fn prepare(&self, tail: &mut Tail) -> Result<()> {
        let session = &self.fence.session;
        self.fence.check(tail.commit.revision)?;
        // The hint stays that of the displaced writer until a ring is there that this one alone has written: so
        // whoever comes in between finds out as well that somebody was displaced.
        let is_first = tail.is_claim && tail.publisher.is_none();
        let is_ready = match &tail.publisher {
            Some(it) => it.is_exact() && !it.published().is_closed && it.is_in_place(session)?,
            None => is_first,
        };
        if !is_ready {
            let published = tail.published(salt_of_newest(session, tail)?);
            self.publish(tail, published)?;
        }
        if let Some((own, _)) = &tail.ring
            && own.named(session)? != Named::Own
        {
            tail.ring = None;
        }
        Ok(())
    }

    fn append(
        &self,
        tail: &mut Tail,
        data: &[u8],
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        let saved = options.saved.unwrap_or_else(|| self.disk.now());
        let mut header = draft(tail.next, saved, &options.labels);
        (header.size, header.digest) = (data.len() as u64, Digest::of(data));
        let whole = self.blocks(&options.labels, header.size)?;
        let delta = self.delta(tail, data, &options.labels, whole)?;
        let (len, stored) = match &delta {
            Some(delta) => (self.blocks(&options.labels, delta.len() as u64)?, delta.as_slice()),
            None => (whole, data),
        };
        let kept = tail.shrink(&self.fence.session, options.retention, len, header.size, saved)?;
        header.kept = kept;
        let is_delta = delta.is_some() && tail.space(len, Kind::Delta).is_some();
        if is_delta {
            header.kind = Kind::Delta;
            header.base = tail.checkpoint.as_ref().map_or(0, |it| it.needs().block);
        }
        let stored = if is_delta { stored } else { data };
        header.stored = stored.len() as u64;
        let record = self.put(tail, Draft { header, stored })?;
        tail.deltas.note(is_delta, record.place.len(), data);
        Ok(record.info())
    }

    /// The delta from the checkpoint before, if that is in the ring that is written, and one pays.
    fn delta(
        &self,
        tail: &mut Tail,
        data: &[u8],
        labels: &Labels,
        whole: u32,
    ) -> Result<Option<Vec<u8>>> {
        let Some((own, _)) = &tail.ring else { return Ok(None) };
        let Some(before) = tail.checkpoint.as_ref() else { return Ok(None) };
        if before.place.file != own.ring.number || u64::from(whole) <= 1 {
            return Ok(None);
        }
        if !std::mem::replace(&mut tail.is_resumed, true)
            && before.header.size <= IN_MEMORY as u64
            && let Some(previous) = own.ring.checkpoint(before)?
        {
            let (full, deltas) = match before.header.kind {
                Kind::Full => (before.place.len(), 0),
                _ => match own.ring.deltas(before)? {
                    Some((full, deltas)) => {
                        (full.place.len(), deltas.iter().map(|it| it.place.len()).sum())
                    }
                    None => return Ok(None),
                },
            };
            tail.deltas.resume(full, deltas, previous);
        }
        let head = (HEADER_LEN + encoded_labels_len(labels) + TRAILER_LEN) as u64;
        Ok(tail.deltas.make(data, head, u64::from(whole) * BLOCK))
    }

    pub(super) fn blocks(&self, labels: &Labels, stored: u64) -> Result<u32> {
        blocks(labels, stored).ok_or_else(|| self.unsupported(Operation::Size))
    }

    pub(super) fn unsupported(&self, operation: Operation) -> Error {
        Error::Unsupported { operation, subject: Subject::Session(self.fence.id.clone()) }
    }
}
