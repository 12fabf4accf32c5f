//! The one writer of a session, and saving.

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::Inner;
use super::format::head::{Head, INLINE, RevisionEntry, Table};
use super::format::keys;
use super::format::nonce::Nonce;
use super::lease::LeaseGuard;
use super::requests::cas::{CasOutcome, Expected};
use super::requests::client::{PIECE, Version};
use super::requests::upload;
use crate::backend::{BackendWriter, GivenUp, Usage, WriterState};
use crate::checkpoint::{CheckpointInfo, Digest, SaveOptions};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::program::{ProgramEnd, ProgramState, WriterRecord};
use crate::revision::Revision;
use crate::stream::input_failed;
use crate::sys::{self, Process};

/// Whoever may save now.
#[derive(Debug)]
pub(super) struct ObjectWriter {
    inner: Arc<Inner>,
    id: SessionId,
    /// What this writer knows to stand.
    head: Head,
    version: Expected,
    replaces: Option<SessionId>,
    /// The place that it has; none if it came for one save alone.
    place: Option<(Nonce, Option<LeaseGuard>)>,
    /// An outcome was indeterminate: another head than this may stand.
    outcome_unknown: bool,
    /// The state in which it found the program.
    found: ProgramState,
    process: Process,
}

/// What is to be saved.
enum Payload {
    Here(Bytes),
    /// An object that was put already.
    Record(String, upload::Put),
}

impl ObjectWriter {
    /// Takes the place of the writer, until it is dropped.
    pub(super) fn acquire(inner: &Arc<Inner>, id: &SessionId) -> Result<Self> {
        loop {
            let (head, version) = inner.unleased_head(id)?;
            let was_left = head.writer.is_some();
            let place = inner.new_lease();
            let (epoch, writer) = (head.epoch + 1, Some(place.clone()));
            let next = Head { epoch, writer, ended: None, ..head.next() };
            let held = LeaseGuard::new(&place, &inner.store, id);
            let expected = Expected::Version(version);
            match inner.compare_and_put(id, &expected, &next.to_bytes(), |_| false)? {
                CasOutcome::Applied(version) => {
                    let place = Some((place.token, Some(held)));
                    let mut writer = Self::new(inner, id, next, version, place);
                    writer.found = left_by_writer(&head);
                    if was_left {
                        // Whoever was here may have left a record that nobody names.
                        inner.collect_garbage(id, &writer.head);
                    }
                    return Ok(writer);
                }
                CasOutcome::Superseded | CasOutcome::Rejected(_) => (),
            }
        }
    }

    /// Comes for one save: that changes the head at once, and needs no place.
    pub(super) fn for_one_save(inner: &Arc<Inner>, id: &SessionId) -> Result<Self> {
        let (head, version) = inner.unleased_head(id)?;
        Ok(Self::new(inner, id, head, version, None))
    }

    fn new(
        inner: &Arc<Inner>,
        id: &SessionId,
        head: Head,
        version: Version,
        place: Option<(Nonce, Option<LeaseGuard>)>,
    ) -> Self {
        Self {
            inner: inner.clone(),
            id: id.clone(),
            replaces: head.replaces.as_ref().and_then(|id| SessionId::new(id).ok()),
            head,
            version: Expected::Version(version),
            place,
            outcome_unknown: false,
            found: ProgramState::Idle,
            process: Process::current(),
        }
    }

    /// Finds out what stands. It is a conflict if this is the writer no more.
    fn refresh(&mut self, expected: Revision) -> Result<()> {
        let found = match &self.place {
            Some((token, _)) => {
                let found = self.inner.head(&self.id);
                match found {
                    Ok((head, version)) if head.has_writer(*token) => Ok((head, version)),
                    Ok((head, _)) => Err(self.conflict(expected, head.revision())),
                    Err(Error::NotFound { .. }) => Err(self.conflict(expected, Revision::NONE)),
                    Err(error) => Err(error),
                }
            }
            None => self.inner.unleased_head(&self.id),
        };
        let (head, version) = found?;
        (self.head, self.version) = (head, Expected::Version(version));
        self.outcome_unknown = false;
        Ok(())
    }

    fn conflict(&self, expected: Revision, found: Revision) -> Error {
        Error::Conflict { id: self.id.clone(), expected, found }
    }

    /// Changes the head, again and again if somebody else did so who may.
    fn change<T>(
        &mut self,
        mut change: impl FnMut(&Self) -> Result<(Head, T)>,
        is_in: impl Fn(&Head, &T) -> bool,
    ) -> Result<T> {
        let expected = self.head.revision();
        if self.outcome_unknown {
            self.refresh(expected)?;
        }
        loop {
            let (next, made) = change(self)?;
            let bytes = next.to_bytes();
            let is_from_ours = |there: &Head| is_in(there, &made);
            let outcome = self.inner.compare_and_put(&self.id, &self.version, &bytes, is_from_ours);
            self.outcome_unknown =
                matches!(outcome, Err(Error::Indeterminate { .. }) | Ok(CasOutcome::Superseded));
            match outcome? {
                CasOutcome::Applied(version) => {
                    (self.head, self.version) = (next, Expected::Version(version));
                    return Ok(made);
                }
                CasOutcome::Superseded => return Ok(made),
                CasOutcome::Rejected(_) => self.refresh(expected)?,
            }
        }
    }

    /// Makes a payload the newest checkpoint. A longer one is put first, under a name that says with which
    /// revision it came: whoever clears away what an older head does not name leaves newer ones alone.
    fn save_payload(&mut self, payload: &Payload, options: &SaveOptions) -> Result<CheckpointInfo> {
        options.check()?;
        let is_in =
            |there: &Head, (entry, _): &(RevisionEntry, Table)| there.table.has(entry.nonce);
        // What was put for a head that came to nothing.
        let mut put = Vec::new();
        let mut change = |writer: &Self| {
            writer.inner.store.delete_best_effort(&std::mem::take(&mut put));
            let newest = writer.head.revision();
            if let Some(expected) = options.conflicts(newest) {
                return Err(writer.conflict(expected, newest));
            }
            let number = options.number.unwrap_or(newest.number().unwrap_or(0) + 1);
            let (size, digest) = match payload {
                Payload::Here(data) => (data.len() as u64, Digest::of(data)),
                Payload::Record(_, put) => (put.size, put.digest),
            };
            let info = CheckpointInfo {
                revision: Revision::from_number(number),
                saved: options.saved.unwrap_or_else(SystemTime::now),
                size,
                digest,
                labels: options.labels.clone(),
            };
            let mut entry = RevisionEntry::new(&info, Nonce::fresh());
            match payload {
                Payload::Here(data) if data.len() <= INLINE => entry.payload = Some(data.clone()),
                Payload::Here(data) => {
                    let name = keys::record(number, entry.nonce);
                    put.push(writer.key(&name));
                    upload::put(&writer.inner.store, &writer.key(&name), &mut data.as_ref())?;
                    entry.record = Some(name);
                }
                Payload::Record(name, _) => entry.record = Some(name.clone()),
            }
            let mut next = writer.head.next();
            if writer.place.is_none() {
                // Whoever had the place is gone.
                next.writer = None;
                next.ended = None;
            }
            next.table.push(entry.clone());
            let dropped = next.table.apply_retention(options.retention, SystemTime::now());
            if let Some(pack) = next.table.spill() {
                put.push(writer.key(&pack.name));
                writer.inner.store.put(&writer.key(&pack.name), pack.bytes)?;
            }
            Ok((next, (entry, dropped)))
        };
        let changed = self.change(&mut change, is_in);
        if let Err(error) = &changed
            && !matches!(error, Error::Indeterminate { .. })
        {
            self.inner.store.delete_best_effort(&put);
        }
        let (entry, dropped) = changed?;
        self.inner.delete_dropped(&self.id, &self.head, &dropped);
        Ok(entry.info())
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", keys::records(self.head.incarnation))
    }
}

impl BackendWriter for ObjectWriter {
    fn save(&mut self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo> {
        self.save_payload(&Payload::Here(Bytes::copy_from_slice(data)), options)
    }

    fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        let mut first = Vec::new();
        source.take(PIECE as u64).read_to_end(&mut first).map_err(input_failed)?;
        if first.len() < PIECE {
            return self.save_payload(&Payload::Here(first.into()), options);
        }
        if self.place.is_none() {
            // A source gives its bytes once: nobody may come between.
            *self = Self::acquire(&self.inner, &self.id)?;
        }
        let newest = self.head.revision();
        if let Some(expected) = options.conflicts(newest) {
            return Err(self.conflict(expected, newest));
        }
        let number = options.number.unwrap_or(newest.number().unwrap_or(0) + 1);
        let name = keys::record(number, Nonce::fresh());
        let mut source = Cursor::new(first).chain(source);
        let put = upload::put(&self.inner.store, &self.key(&name), &mut source)?;
        let key = self.key(&name);
        let saved = self.save_payload(&Payload::Record(name, put), options);
        if matches!(saved, Err(Error::Conflict { .. })) {
            self.inner.store.delete_best_effort(&[key]);
        }
        saved
    }

    fn replaces(&self) -> Option<&SessionId> {
        self.replaces.as_ref()
    }

    fn set_replaced(&mut self) -> Result<()> {
        let change = |writer: &Self| Ok((Head { replaces: None, ..writer.head.next() }, ()));
        self.change(change, |_, ()| false)?;
        self.replaces = None;
        Ok(())
    }

    fn found(&self) -> ProgramState {
        self.found
    }

    /// Ends the lease in the same change.
    fn finish(&mut self, end: ProgramEnd) -> Result<()> {
        let ended = Some(WriterRecord { owner: sys::current_owner(), ended: Some(end) });
        let change = |writer: &Self| {
            Ok((Head { writer: None, ended: ended.clone(), ..writer.head.next() }, ()))
        };
        self.change(change, |there, ()| there.ended == ended)?;
        self.place = None;
        Ok(())
    }
}

/// The state in which the next writer finds the program.
fn left_by_writer(head: &Head) -> ProgramState {
    match (&head.writer, &head.ended) {
        (Some(_), _) => ProgramState::Interrupted,
        (None, Some(record)) => WriterState::from(record.clone()).program(),
        (None, None) => ProgramState::Idle,
    }
}

impl ObjectWriter {
    /// Gives up the revisions before this one, and deletes what nothing names any more.
    pub(super) fn discard(&mut self, before: u64) -> Result<GivenUp> {
        let len = |head: &Head| head.to_bytes().len() as u64;
        let was = len(&self.head);
        let change = |writer: &Self| {
            // Whoever had the place is gone.
            let mut next = writer.head.without_writer();
            let mut read = |name: &str| {
                let pack = writer.inner.pack(name, &writer.head)?;
                pack.map_err(|key| writer.inner.gone(&key))
            };
            let newest = writer.head.revision().number().unwrap_or(0);
            // They come with a later one, as what is saved next does: so nobody takes them for garbage.
            let packs = next.table.discard_before(before.min(newest), newest + 1, &mut read)?;
            let mut made = 0;
            for pack in packs {
                made += pack.bytes.len() as u64;
                writer.inner.store.put(&writer.key(&pack.name), pack.bytes)?;
            }
            Ok((next, (made, writer.inner.named(&writer.id, &writer.head, 0)?)))
        };
        let (made, named) = self.change(change, |_, _| false)?;
        let (keys, sizes): (Vec<_>, Vec<_>) =
            self.inner.garbage(&self.id, &self.head, 0, &named)?.into_iter().unzip();
        let remains = self.inner.store.delete(&keys);
        let mut usage = Usage::default();
        if remains.is_empty() {
            let freed = sizes.iter().sum::<u64>() + was.saturating_sub(len(&self.head));
            usage = Usage::new(keys.len() as u64, freed.saturating_sub(made));
        }
        Ok(GivenUp { usage, remains })
    }

    /// Whether another head stands than the one that this writer knows.
    pub(super) fn was_overtaken(&self) -> Result<bool> {
        Ok(self.inner.head(&self.id)?.0.nonce != self.head.nonce)
    }

    fn release_lease(&mut self) -> Result<()> {
        let change = |writer: &Self| Ok((Head { writer: None, ..writer.head.next() }, ()));
        self.change(change, |_, ()| false)
    }
}

impl Drop for ObjectWriter {
    /// Gives the place back. If that fails, another process of this machine would see this one run, and take
    /// it for the writer: so it is tried until it works, or somebody else has the place, or this ends.
    fn drop(&mut self) {
        let Some((token, held)) = self.place.take() else { return };
        if !self.process.is_current() {
            // Its signs of life are its parent's.
            std::mem::forget(held);
            return;
        }
        drop(held);
        let mut last = Self {
            inner: self.inner.clone(),
            id: self.id.clone(),
            head: self.head.clone(),
            version: self.version.clone(),
            replaces: None,
            place: Some((token, None)),
            outcome_unknown: self.outcome_unknown,
            found: self.found,
            process: self.process.clone(),
        };
        if is_over(last.release_lease()) {
            last.place = None;
            return;
        }
        let again = move || {
            loop {
                last.inner.store.clock.sleep(last.inner.beat);
                last.outcome_unknown = true;
                if is_over(last.release_lease()) {
                    last.place = None;
                    return;
                }
            }
        };
        let _ = std::thread::Builder::new().name("pitstop-release".to_owned()).spawn(again);
    }
}

/// Whether there is no more to be done about a place.
fn is_over(outcome: Result<()>) -> bool {
    !matches!(outcome, Err(Error::Storage { .. } | Error::Indeterminate { .. }))
}
