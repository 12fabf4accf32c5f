//! The one writer of a session: its lease, and how it changes the head.

use std::sync::Arc;

use super::Inner;
use super::format::changes::Change;
use super::format::head::{Head, HeadState};
use super::format::keys;
use super::format::nonce::Nonce;
use super::lease::LeaseGuard;
use super::requests::cas::{CasOutcome, Expected};
use super::requests::client::{Object, Version};
use crate::backend::WriterState;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::program::{ProgramEnd, ProgramState, WriterRecord};
use crate::revision::Revision;
use crate::sys::{self, Process};

/// Whoever may save now.
#[derive(Debug)]
pub(super) struct ObjectWriter {
    pub(super) inner: Arc<Inner>,
    pub(super) id: SessionId,
    /// What this writer knows to stand.
    pub(super) head: Head,
    version: Version,
    /// The newest recorded change that this writer was told of. A store that lacks it went back.
    known: Option<Change>,
    pub(super) replaces: Option<SessionId>,
    /// The lease that it holds; none if it came for one save alone.
    lease: Option<LeaseGuard>,
    /// Another head than this may stand.
    outcome_unknown: bool,
    /// The state in which it found the program.
    pub(super) found: ProgramState,
    process: Process,
}

impl ObjectWriter {
    /// Acquires the lease, until it is dropped.
    pub(super) fn acquire(inner: &Arc<Inner>, id: &SessionId) -> Result<Self> {
        loop {
            let (head, version) = inner.unleased_head(id)?;
            let (lease, known) = (inner.new_lease(), head.changes.newest());
            let left = head.lease.as_ref().map(|it| keys::heartbeat(id, it.token));
            let mut next = Head {
                epoch: head.epoch + 1,
                lease: Some(lease.clone()),
                ended: None,
                ..head.next()
            };
            if left.is_some() {
                next.raise_fence();
            }
            let expected = Expected::Version(version.clone());
            let bytes = next.to_bytes();
            let guard = LeaseGuard::new(&lease, next.epoch, &inner.store, id);
            let mut writer = Self::new(inner, id, next, version);
            (writer.lease, writer.known) = (Some(guard), known);
            writer.found = left_by_writer(&head);
            match inner.put_head(id, &expected, &bytes, None) {
                Ok(CasOutcome::Applied(version)) => {
                    writer.version = version;
                    if let Some(heartbeat) = left {
                        // Whoever was here may have left a record that nobody names.
                        inner.store.delete_best_effort(&[heartbeat]);
                        inner.collect_garbage(id, &writer.head);
                    }
                    return Ok(writer);
                }
                Ok(_) => writer.forget_lease(),
                Err(error) => {
                    // If it counted after all, it is released when this is dropped.
                    writer.outcome_unknown = matches!(error, Error::Indeterminate { .. });
                    if !writer.outcome_unknown {
                        writer.forget_lease();
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Comes for one save: that changes the head at once, and needs no lease.
    pub(super) fn for_one_save(inner: &Arc<Inner>, id: &SessionId) -> Result<Self> {
        let (head, version) = inner.unleased_head(id)?;
        Ok(Self::new(inner, id, head, version))
    }

    fn new(inner: &Arc<Inner>, id: &SessionId, head: Head, version: Version) -> Self {
        Self {
            inner: inner.clone(),
            id: id.clone(),
            replaces: head.replaces.as_ref().and_then(|id| SessionId::new(id).ok()),
            known: head.changes.newest(),
            head,
            version,
            lease: None,
            outcome_unknown: false,
            found: ProgramState::Idle,
            process: Process::current(),
        }
    }

    pub(super) fn has_lease(&self) -> bool {
        self.lease.is_some()
    }

    /// What follows the head that this writer knows, of which it is the base.
    pub(super) fn next(&self) -> Head {
        let next = self.head.next();
        match self.has_lease() {
            true => next,
            // Whoever held the lease is gone.
            false => Head { lease: None, ended: None, ..next },
        }
    }

    /// Makes what stands the base of the next change; it is what was read already, or is read now. It is a conflict if
    /// this is the writer no more.
    pub(super) fn rebase(&mut self, expected: Revision, there: Option<Object>) -> Result<()> {
        let key = keys::head(&self.id);
        let there = match there {
            Some(there) => Some(there),
            None => self.inner.store.get(&key)?,
        };
        let state = self.inner.read_state(&self.id, there.as_ref())?;
        if state.changes().lacks(self.known) {
            return Err(self.inner.went_back(&self.id));
        }
        let (head, version) = match (state, there) {
            (HeadState::Session(head), Some(there)) => (*head, there.version),
            _ if self.has_lease() => return Err(self.conflict(expected, Revision::NONE)),
            _ => return Err(self.inner.not_found(&self.id)),
        };
        let is_older = head.incarnation == self.head.incarnation && head.epoch < self.head.epoch;
        if is_older && head.changes.newest() == self.known {
            return Err(self.inner.went_back(&self.id));
        }
        let (head, version) = match &self.lease {
            Some(lease) if head.has_lease(lease.token) => (head, version),
            Some(_) => return Err(self.conflict(expected, head.revision())),
            None if head.lease.is_none() => (head, version),
            None => self.inner.unleased_head(&self.id)?,
        };
        self.accept(head, version);
        Ok(())
    }

    fn accept(&mut self, head: Head, version: Version) {
        self.known = head.changes.newest().or(self.known);
        (self.head, self.version) = (head, version);
        self.outcome_unknown = false;
    }

    pub(super) fn conflict(&self, expected: Revision, found: Revision) -> Error {
        Error::Conflict { id: self.id.clone(), expected, found }
    }

    /// Changes the head; again, if another writer that may changed it first. Each time but the first it waits, longer each
    /// time: of two that save without a pause neither keeps the other out.
    pub(super) fn change<T>(
        &mut self,
        mut change: impl FnMut(&mut Self) -> Result<(Head, T)>,
    ) -> Result<T> {
        let expected = self.head.revision();
        if self.outcome_unknown {
            self.rebase(expected, None)?;
        }
        let mut backoff = self.inner.store.backoff();
        for losses in 1.. {
            let (next, made) = change(self)?;
            let recorded = next.changes.newest().filter(|_| next.changes != self.head.changes);
            let base = Expected::Version(self.version.clone());
            let outcome = self.inner.put_head(&self.id, &base, &next.to_bytes(), recorded);
            self.outcome_unknown =
                matches!(outcome, Err(Error::Indeterminate { .. }) | Ok(CasOutcome::Superseded));
            match outcome? {
                CasOutcome::Applied(version) => {
                    self.accept(next, version);
                    return Ok(made);
                }
                CasOutcome::Superseded => {
                    self.known = recorded.or(self.known);
                    return Ok(made);
                }
                CasOutcome::Rejected(there) if losses == 1 => self.rebase(expected, there)?,
                CasOutcome::Rejected(_) => {
                    backoff.yield_to_rivals();
                    self.rebase(expected, None)?;
                }
            }
        }
        Err(self.conflict(expected, Revision::NONE))
    }

    /// Whether what stands is the head that this writer knows.
    pub(super) fn is_up_to_date(&self) -> bool {
        !self.outcome_unknown
    }

    /// Whether another head stands than the one that this writer knows.
    pub(super) fn was_overtaken(&self) -> Result<bool> {
        Ok(self.inner.head(&self.id)?.0.nonce != self.head.nonce)
    }

    fn release_lease(&mut self) -> Result<()> {
        self.change(|writer| Ok((Head { lease: None, ..writer.head.next() }, ())))
    }

    /// Releases the lease, and notes in the same change how the program ended.
    pub(super) fn end(&mut self, end: ProgramEnd) -> Result<()> {
        let request = Nonce::fresh();
        let ended = Some(WriterRecord { owner: sys::current_owner(), ended: Some(end) });
        self.change(|writer| {
            let next = Head { lease: None, ended: ended.clone(), ..writer.head.next() };
            Ok((next.after(&writer.head.changes, request), ()))
        })?;
        let heartbeat = self.lease.as_ref().and_then(LeaseGuard::heartbeat);
        self.forget_lease();
        self.inner.store.delete_best_effort(heartbeat.as_slice());
        Ok(())
    }

    /// Nothing is to be released.
    fn forget_lease(&mut self) {
        self.lease = None;
    }
}

/// The state in which the next writer finds the program.
fn left_by_writer(head: &Head) -> ProgramState {
    match (&head.lease, &head.ended) {
        (Some(_), _) => ProgramState::Interrupted,
        (None, Some(record)) => WriterState::from(record.clone()).program(),
        (None, None) => ProgramState::Idle,
    }
}

impl Drop for ObjectWriter {
    /// Releases the lease. If that fails, another process of this machine would see this one run, and take
    /// it for the writer: so it is tried until it works, or somebody else has the lease, or this ends.
    fn drop(&mut self) {
        let Some(guard) = self.lease.take() else { return };
        if !self.process.is_current() {
            // Its heartbeats are its parent's.
            std::mem::forget(guard);
            return;
        }
        let mut last = Releaser {
            heartbeat: guard.heartbeat(),
            writer: Self {
                inner: self.inner.clone(),
                id: self.id.clone(),
                head: self.head.clone(),
                version: self.version.clone(),
                replaces: None,
                lease: Some(guard.end()),
                known: self.known,
                outcome_unknown: self.outcome_unknown,
                found: self.found,
                process: self.process.clone(),
            },
        };
        if last.is_over() {
            return;
        }
        let again = move || {
            loop {
                let Releaser { writer, .. } = &mut last;
                writer.inner.store.clock.sleep(writer.inner.beat);
                writer.outcome_unknown = true;
                if last.is_over() {
                    return;
                }
            }
        };
        let _ = std::thread::Builder::new().name("pitstop-release".to_owned()).spawn(again);
    }
}

/// A writer that only has to release its lease.
struct Releaser {
    writer: ObjectWriter,
    heartbeat: Option<String>,
}

impl Releaser {
    /// Tries to release the lease; whether there is no more to be done about it.
    fn is_over(&mut self) -> bool {
        if matches!(
            self.writer.release_lease(),
            Err(Error::Storage { .. } | Error::Indeterminate { .. })
        ) {
            return false;
        }
        self.writer.forget_lease();
        self.writer.inner.store.delete_best_effort(self.heartbeat.as_slice());
        true
    }
}
