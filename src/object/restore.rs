//! Taking sessions out of the [trash](super::trash): to put them back, or to delete them.
//!
//! Whoever does so claims the copy first, so that two never do; then it names the copy in the head, so that the copy
//! is deleted before that session goes.

use super::Inner;
use super::format::head::{Head, HeadState};
use super::format::keys;
use super::format::nonce::Nonce;
use super::format::tombstone::Tombstone;
use super::format::trash_entry::{CopyState, TrashEntry};
use super::requests::cas::CasOutcome;
use super::trash::{Effect, TrashCopy};
use crate::backend::{Removal, Trashed};
use crate::error::{Error, Result};
use crate::id::SessionId;

impl Inner {
    /// Retires the copy that a session came from, if that is still there: before the session goes, for otherwise
    /// the copy would be in its place.
    pub(super) fn end_restoring(&self, head: &Head) -> Result<()> {
        head.restored_from.as_deref().map_or(Ok(()), |key| self.retire(key))
    }

    /// Takes a session out of the trash: the claim, then its head, and then the copy goes.
    pub(super) fn restore_trashed(&self, trashed: &Trashed, id: &SessionId) -> Result<()> {
        let (key, entry, head) = self.claim(trashed, Some(id))?;
        let request = Nonce::fresh();
        let restored_from = Some(key.clone());
        let restored = Head { epoch: head.epoch + 1, restored_from, ..head.without_lease() };
        loop {
            let (expected, state) = self.head_state(id)?;
            match &state {
                HeadState::Session(there) if there.incarnation == restored.incarnation => break,
                HeadState::Session(_) => return Err(self.already_exists(id)),
                HeadState::Tombstone(there) => self.settle(id, there)?,
                HeadState::Nothing => (),
            }
            // Whoever claims it after us changes what stands here after that, so that what we read before
            // looking is no more.
            if !self.is_claimed_by(&key, &entry)? {
                return Err(self.not_found(&trashed.id));
            }
            let next = restored.next().after(&state.changes(), request);
            match self.put_head(id, &expected, &next.to_bytes(), next.changes.newest())? {
                CasOutcome::Applied(_) | CasOutcome::Superseded => break,
                CasOutcome::Rejected(_) => (),
            }
        }
        if let Err(error) = self.retire(&key) {
            tracing::warn!("the copy in the trash of a session that is back stays: {error}");
        }
        Ok(())
    }

    pub(super) fn delete_trashed(&self, trashed: &Trashed) -> Result<Removal> {
        let (key, _, head) = self.claim(trashed, None)?;
        // It is out of the trash: what goes wrong from here on is left to a sweep.
        let mut remains = match self.objects(head.incarnation) {
            Ok(objects) => self.store.delete(&objects),
            Err(error) => vec![error],
        };
        if remains.is_empty() {
            remains.extend(self.retire(&key).err());
        }
        Ok(Removal { remains })
    }

    fn is_claimed_by(&self, key: &str, claim: &TrashEntry) -> Result<bool> {
        let Some(object) = self.store.get(key)? else { return Ok(false) };
        Ok(self.read_entry(key, &object)?.is_some_and(|(entry, _)| entry.nonce == claim.nonce))
    }

    /// Makes sure that nobody else takes it out of the trash: to put it back under this name, or to delete it.
    fn claim(
        &self,
        trashed: &Trashed,
        to: Option<&SessionId>,
    ) -> Result<(String, TrashEntry, Head)> {
        self.probe()?;
        let not_found = || self.not_found(&trashed.id);
        let key = self.trash_key(trashed)?.ok_or_else(not_found)?;
        loop {
            let TrashCopy { entry, version, head, effect, .. } =
                self.copy(&key)?.ok_or_else(not_found)?;
            let mut names = entry.state.names().to_vec();
            let state = match (effect, to) {
                (Effect::InTrash, Some(id)) => {
                    names.push(id.to_string());
                    CopyState::Restoring { to: names }
                }
                (Effect::InTrash | Effect::Deleting, None) => CopyState::Deleting { to: names },
                _ => return Err(not_found()),
            };
            let ours = entry.next(state);
            if !self.change_copy(&key, version, &ours)? {
                continue;
            }
            for name in entry.state.names() {
                let is_back = self.keep_out(&SessionId::new(name)?, head.incarnation);
                // A copy that is being deleted is out of the trash, or its session is back.
                let is_back = if to.is_none() { is_back.map_err(unknown)? } else { is_back? };
                if is_back {
                    // It was back already.
                    self.retire(&key)?;
                    return Err(not_found());
                }
            }
            return Ok((key, ours, head));
        }
    }

    /// Sees to it that who was about to put this incarnation there cannot do so any more; whether it
    /// is there already.
    fn keep_out(&self, id: &SessionId, incarnation: Nonce) -> Result<bool> {
        loop {
            let (expected, tombstone) = match self.head_state(id)? {
                (_, HeadState::Session(there)) => return Ok(there.incarnation == incarnation),
                (expected, HeadState::Tombstone(there)) => (expected, there.next()),
                (expected, HeadState::Nothing) => (expected, Tombstone::default().next()),
            };
            match self.put_head(id, &expected, &tombstone.to_bytes(), None)? {
                CasOutcome::Applied(_) | CasOutcome::Superseded => return Ok(false),
                CasOutcome::Rejected(_) => (),
            }
        }
    }

    fn trash_key(&self, trashed: &Trashed) -> Result<Option<String>> {
        let start = keys::trashed_start(&trashed.id, trashed.removed.into());
        let listed = self.store.list([keys::trash_of(&trashed.id)])?;
        let mut keys = listed.iter().map(|object| self.store.key(&object.location));
        Ok(keys.find(|key| key.starts_with(&start)))
    }
}

/// The error of a step behind a change that counted.
fn unknown(error: Error) -> Error {
    match error {
        Error::Storage { step, path, source } => Error::Indeterminate { step, path, source },
        error => error,
    }
}
