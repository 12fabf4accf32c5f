//! Taking sessions out of the [trash](super::trash): to put them back, or to delete them.
//!
//! Whoever does so claims the copy first, so that two never do; then it names the copy in the head, so that the copy
//! is deleted before that session goes.

use super::Inner;
use super::format::head::{Head, Tombstone};
use super::format::keys;
use super::format::nonce::Nonce;
use super::remove::HeadState;
use super::requests::cas::{CasOutcome, Expected};
use super::trash::{Copy, Item};
use crate::backend::{Removal, Trashed};
use crate::error::{Error, Result};
use crate::id::SessionId;

impl Inner {
    /// Deletes the copy that a session came from, if that is still there: before the session goes, for otherwise
    /// the copy would be in its place.
    pub(super) fn end_restoring(&self, head: &Head) -> Result<()> {
        let Some(key) = &head.restored_from else { return Ok(()) };
        self.store.delete(std::slice::from_ref(key)).into_iter().next().map_or(Ok(()), Err)
    }

    /// Takes a session out of the trash: the claim, then its head, and then the copy goes.
    pub(super) fn restore_trashed(&self, trashed: &Trashed, id: &SessionId) -> Result<()> {
        let (key, item, head) = self.claim(trashed, Some(id))?;
        let restored_from = Some(key.clone());
        let restored = Head { epoch: head.epoch + 1, restored_from, ..head.without_writer() };
        let bytes = restored.to_bytes();
        loop {
            let (expected, there) = self.head_state(id)?;
            match there {
                HeadState::Session(there) if there.incarnation == head.incarnation => break,
                HeadState::Session(_) => {
                    let repository = self.store.location().to_owned();
                    return Err(Error::AlreadyExists { id: id.clone(), repository });
                }
                HeadState::Tombstone(there) => self.settle(id, &there)?,
                HeadState::Nothing => (),
            }
            // Whoever claims it after us changes what stands here after that, so that what we read before
            // looking is no more.
            match self.item(&key)? {
                Some((now, ..)) if now.nonce == item.nonce => (),
                _ => return Err(self.not_found(&trashed.id)),
            }
            match self.compare_and_put(id, &expected, &bytes, |there| {
                there.incarnation == head.incarnation
            })? {
                CasOutcome::Applied(_) | CasOutcome::Superseded => break,
                CasOutcome::Rejected(_) => (),
            }
        }
        self.store.delete_best_effort(&[key]);
        Ok(())
    }

    pub(super) fn delete_trashed(&self, trashed: &Trashed) -> Result<Removal> {
        let (key, _, head) = self.claim(trashed, None)?;
        let mut remains = self.store.delete(&self.objects(head.incarnation)?);
        if remains.is_empty() {
            remains = self.store.delete(&[key]);
        }
        Ok(Removal { remains })
    }

    /// Makes sure that nobody else takes it out of the trash: to put it back under this name, or to delete it.
    fn claim(&self, trashed: &Trashed, to: Option<&SessionId>) -> Result<(String, Item, Head)> {
        self.probe()?;
        let not_found = || self.not_found(&trashed.id);
        let key = self.trash_key(trashed)?.ok_or_else(not_found)?;
        loop {
            let copy = self.copy(&key)?.ok_or_else(not_found)?;
            if !copy.counts || (copy.item.is_going && to.is_some()) {
                return Err(not_found());
            }
            let Copy { item, version, head, .. } = copy;
            let mut ours = item.clone();
            (ours.nonce, ours.is_in) = (Nonce::fresh(), true);
            match to {
                Some(to) => ours.restored_to.push(to.to_string()),
                None => ours.is_going = true,
            }
            match self.store.compare_and_put(
                &key,
                &Expected::Version(version),
                &ours.to_bytes(),
                |_| false,
            )? {
                CasOutcome::Applied(_) => (),
                CasOutcome::Superseded | CasOutcome::Rejected(_) => continue,
            }
            for to in item.restored_to {
                if self.keep_out(&SessionId::new(to)?, head.incarnation)? {
                    // It was back already.
                    self.store.delete_best_effort(&[key]);
                    return Err(not_found());
                }
            }
            return Ok((key, ours, head));
        }
    }

    /// Sees to it that who was about to put this life of a session there cannot do so any more; whether it
    /// is there already.
    fn keep_out(&self, id: &SessionId, incarnation: Nonce) -> Result<bool> {
        loop {
            let (expected, tombstone) = match self.head_state(id)? {
                (_, HeadState::Session(there)) => return Ok(there.incarnation == incarnation),
                (expected, HeadState::Tombstone(there)) => (expected, there.next()),
                (expected, HeadState::Nothing) => (expected, Tombstone::default().next()),
            };
            match self.compare_and_put(id, &expected, &tombstone.to_bytes(), |_| false)? {
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
