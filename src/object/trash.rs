//! The trash. A session in it is a copy of its head, under a key that is used once; what that names stays where it is.
//!
//! The copy is put before the tombstone, and takes effect only when a tombstone names it. Whatever takes the place of
//! that tombstone notes it in the copy before. So the copy of a process that was killed in between never takes effect,
//! whatever becomes of the session. [`restore`](super::restore) takes sessions out again.

use std::time::SystemTime;

use super::format::changes::Trace;
use super::format::container::Unreadable;
use super::format::head::{Head, HeadState};
use super::format::keys;
use super::format::nonce::Nonce;
use super::format::tombstone::Tombstone;
use super::format::trash_entry::{CopyState, TrashEntry};
use super::list::{BEGINNING, READ_AT_ONCE};
use super::requests::cas::{CasOutcome, Expected};
use super::requests::client::{Object, Version};
use super::requests::probe;
use super::{Inner, list};
use crate::backend::Trashed;
use crate::error::{Error, Result};
use crate::id::SessionId;

/// A copy as it is seen together with what stands.
pub(super) struct TrashCopy {
    pub(super) entry: TrashEntry,
    pub(super) version: Version,
    pub(super) head: Head,
    pub(super) trashed: Trashed,
    pub(super) effect: Effect,
}

/// What follows from a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The session is in the trash.
    InTrash,
    /// It may yet come there: its head still stands.
    Undecided,
    /// It is not, and never will be by this copy.
    Void,
    /// It was in the trash, and is being deleted.
    Deleting,
}

impl Inner {
    pub(super) fn trash(&self, id: &SessionId) -> Result<Trashed> {
        let (mut head, mut version) = self.unleased_head(id)?;
        let (incarnation, request) = (head.incarnation, Nonce::fresh());
        loop {
            self.end_restoring(&head)?;
            let bytes = head.to_bytes();
            let usage = self.usage_of(incarnation, bytes.len() as u64)?;
            let entry = TrashEntry::new(id, SystemTime::now().into(), usage, bytes);
            let key = keys::trashed(id, entry.removed, entry.nonce);
            self.put_new(&key, &entry.to_bytes())?;
            match self.put_tombstone(id, &version, &Tombstone::of_trashed(&head, &key, request)) {
                Ok(true) => {
                    let heartbeat = head.lease.as_ref().map(|it| keys::heartbeat(id, it.token));
                    self.store.delete_best_effort(heartbeat.as_slice());
                    let mut trashed = entry.trashed(&head)?;
                    if let Some(summary) = &mut trashed.summary {
                        summary.version = version.e_tag.as_deref().map(list::plain_tag);
                    }
                    return Ok(trashed);
                }
                // It may take effect yet.
                Err(error @ Error::Indeterminate { .. }) => return Err(error),
                outcome => {
                    self.store.delete_best_effort(&[key]);
                    outcome?;
                }
            }
            (head, version) = self.unleased_head(id)?;
            if head.incarnation != incarnation {
                return Err(self.not_found(id));
            }
        }
    }

    /// Puts an object under a key that is used once. A copy of the request that comes late finds it there, or changed; it
    /// never overwrites.
    pub(super) fn put_new(&self, key: &str, bytes: &bytes::Bytes) -> Result<()> {
        let put = self.store.compare_and_put(key, &Expected::Nothing, bytes, |_| Ok(Trace::Made));
        put.map(drop)
    }

    /// What is in the trash. What cannot be read is told in a warning.
    pub(super) fn trashed(&self) -> Result<Vec<Trashed>> {
        let listed = self.store.list([keys::TRASH.to_owned()])?;
        if listed.is_empty() {
            probe::is_a_store(&self.store)?;
        }
        let listed = listed.iter().filter(|it| !TrashEntry::is_short(it.size));
        let keys: Vec<String> = listed.map(|it| self.store.key(&it.location)).collect();
        let mut trashed = Vec::new();
        for copy in self.copies(&keys, Some(BEGINNING))? {
            match copy {
                Ok(Some(copy)) if copy.effect == Effect::InTrash => trashed.push(copy.trashed),
                Ok(_) => (),
                Err(error) => tracing::warn!("something in the trash cannot be read: {error}"),
            }
        }
        Ok(trashed)
    }

    /// The copies of these keys, asked for side by side; `None` for those that are gone. Of each the head is read first: what
    /// is noted in a copy before something takes the place of a tombstone is then seen in one of the two.
    /// Of each no more than `len` bytes are read, if that is enough.
    pub(super) fn copies(
        &self,
        keys: &[String],
        len: Option<u64>,
    ) -> Result<Vec<Result<Option<TrashCopy>>>> {
        let mut copies = Vec::with_capacity(keys.len());
        for keys in keys.chunks(READ_AT_ONCE) {
            let ids: Vec<_> = keys.iter().map(|key| keys::trashed_id(key)).collect();
            let heads: Vec<_> = ids.iter().flatten().map(keys::head).collect();
            let mut heads = self.store.get_starts(&heads, Some(BEGINNING))?.into_iter();
            let entries = self.store.get_starts(keys, len)?;
            for ((key, id), entry) in keys.iter().zip(&ids).zip(entries) {
                let there = id.as_ref().and_then(|id| Some((id, heads.next()?)));
                copies.push(self.copy_of(key, there, entry));
            }
        }
        // A request that fails is no matter of one copy alone.
        let is_of_one = |error: &Error| {
            matches!(
                error,
                Error::Corrupt { .. } | Error::NewerFormat { .. } | Error::InvalidId { .. }
            )
        };
        match copies.iter().position(|it| it.as_ref().is_err_and(|error| !is_of_one(error))) {
            Some(n) => copies.swap_remove(n).map(|_| Vec::new()),
            None => Ok(copies),
        }
    }

    /// One copy, and what follows from what stands.
    pub(super) fn copy(&self, key: &str) -> Result<Option<TrashCopy>> {
        self.copies(&[key.to_owned()], None)?.swap_remove(0)
    }

    fn copy_of(
        &self,
        key: &str,
        there: Option<(&SessionId, Option<Object>)>,
        entry: Option<Object>,
    ) -> Result<Option<TrashCopy>> {
        let Some(object) = entry else { return Ok(None) };
        let Some((entry, head)) = self.read_entry(key, &object)? else { return Ok(None) };
        let standing = match there {
            Some((id, Some(there))) => match self.beginning_of_state(id, there) {
                Err(Error::Corrupt { .. } | Error::NewerFormat { .. }) => HeadState::Nothing,
                standing => standing?,
            },
            _ => HeadState::Nothing,
        };
        let effect = match &entry.state {
            _ if self.is_back(&entry, head.incarnation)? => Effect::Void,
            CopyState::Pending => match &standing {
                HeadState::Tombstone(there) if there.names(key) => Effect::InTrash,
                HeadState::Session(there) if there.nonce == head.nonce => Effect::Undecided,
                HeadState::Nothing => Effect::Undecided,
                _ => Effect::Void,
            },
            CopyState::InTrash | CopyState::Restoring { .. } => Effect::InTrash,
            CopyState::Deleting { .. } => Effect::Deleting,
            CopyState::Retired => Effect::Void,
        };
        let trashed = entry.trashed(&head)?;
        Ok(Some(TrashCopy { entry, version: object.version, head, trashed, effect }))
    }

    /// An entry and its head; `None` if it is retired.
    pub(super) fn read_entry(
        &self,
        key: &str,
        object: &Object,
    ) -> Result<Option<(TrashEntry, Head)>> {
        let read = |object: &Object| {
            let entry = TrashEntry::read(&object.bytes, object.len)?;
            match entry.state {
                CopyState::Retired => Ok(None),
                _ => entry.head().map(|head| Some((entry, head))),
            }
        };
        match read(object) {
            // Perhaps it says more than was read.
            Err(Unreadable::Damaged(_)) if !object.is_whole() => {
                self.store.get(key)?.map_or(Ok(None), |whole| read(&whole))
            }
            outcome => outcome,
        }
        .map_err(|problem| self.unreadable(key, problem))
    }

    /// Whether a session stands under a name for which somebody took it out of the trash, and left the copy.
    fn is_back(&self, entry: &TrashEntry, incarnation: Nonce) -> Result<bool> {
        for name in entry.state.names() {
            let id = SessionId::new(name)?;
            if let Some(there) = self.store.get_start(&keys::head(&id), BEGINNING)?
                && let HeadState::Session(there) = self.beginning_of_state(&id, there)?
                && there.incarnation == incarnation
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes in a copy that it takes effect.
    pub(super) fn keep_in_trash(&self, key: &str) -> Result<()> {
        while let Some(object) = self.store.get(key)? {
            let entry = match self.read_entry(key, &object) {
                Ok(Some((entry, _))) => entry,
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::warn!("something in the trash cannot be read: {error}");
                    return Ok(());
                }
            };
            if entry.state != CopyState::Pending {
                return Ok(());
            }
            if self.change_copy(key, object.version, &entry.next(CopyState::InTrash))? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Changes a copy that is of this version; whether it was.
    pub(super) fn change_copy(&self, key: &str, of: Version, to: &TrashEntry) -> Result<bool> {
        let (expected, bytes) = (Expected::Version(of), to.to_bytes());
        let put = self.store.compare_and_put(key, &expected, &bytes, |_| Ok(Trace::NotMade))?;
        Ok(matches!(put, CasOutcome::Applied(_)))
    }

    /// Takes a copy out of the trash for good, when no tombstone names it any more. Its key stays taken.
    pub(super) fn retire(&self, key: &str) -> Result<()> {
        while let Some(id) = keys::trashed_id(key) {
            let (expected, HeadState::Tombstone(there)) = self.head_state(&id)? else { break };
            if !there.names(key) {
                break;
            }
            self.put_head(&id, &expected, &there.without_copy().to_bytes(), None)?;
        }
        while let Some(object) = self.store.get(key)? {
            if matches!(self.read_entry(key, &object), Ok(None))
                || self.change_copy(key, object.version, &TrashEntry::retired())?
            {
                break;
            }
        }
        Ok(())
    }
}
