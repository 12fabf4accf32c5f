//! Taking sessions out of the [trash](super::trash): to put them back, or to delete them.
//!
//! Whoever does so claims the copy first, so that two never do; then it names the copy in the head, so that the copy
//! is deleted before that session goes.

use super::head::{Head, Tombstone};
use super::nonce::Nonce;
use super::remove::Standing;
use super::swap::{Expected, Swapped};
use super::trash::{Copy, Item};
use super::{Inner, names};
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
        let restored = Head { epoch: head.epoch + 1, writer: None, restored_from, ..head.next() };
        let bytes = restored.to_bytes();
        loop {
            let (expected, there) = self.what_stands(id)?;
            match there {
                Standing::Session(there) if there.made == head.made => break,
                Standing::Session(_) => {
                    let repository = self.store.location().to_owned();
                    return Err(Error::AlreadyExists { id: id.clone(), repository });
                }
                Standing::Tombstone(there) => self.settle(id, &there)?,
                Standing::Nothing => (),
            }
            // Whoever claims it after us changes what stands here after that, so that what we read before
            // looking is no more.
            match self.item(&key)? {
                Some((now, ..)) if now.nonce == item.nonce => (),
                _ => return Err(self.not_found(&trashed.id)),
            }
            match self.swap(id, &expected, &bytes, |there| there.made == head.made)? {
                Swapped::Done(_) | Swapped::Since => break,
                Swapped::Other(_) => (),
            }
        }
        self.store.discard(&[key]);
        Ok(())
    }

    pub(super) fn delete_trashed(&self, trashed: &Trashed) -> Result<Removal> {
        let (key, _, head) = self.claim(trashed, None)?;
        let mut remains = self.store.delete(&self.objects(head.made)?);
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
            match self.store.swap(&key, &Expected::Version(version), &ours.to_bytes(), |_| false)? {
                Swapped::Done(_) => (),
                Swapped::Since | Swapped::Other(_) => continue,
            }
            for to in item.restored_to {
                if self.keep_out(&SessionId::new(to)?, head.made)? {
                    // It was back already.
                    self.store.discard(&[key]);
                    return Err(not_found());
                }
            }
            return Ok((key, ours, head));
        }
    }

    /// Sees to it that who was about to put this life of a session there cannot do so any more; whether it
    /// is there already.
    fn keep_out(&self, id: &SessionId, made: Nonce) -> Result<bool> {
        loop {
            let (expected, tombstone) = match self.what_stands(id)? {
                (_, Standing::Session(there)) => return Ok(there.made == made),
                (expected, Standing::Tombstone(there)) => (expected, there.next()),
                (expected, Standing::Nothing) => (expected, Tombstone::default().next()),
            };
            match self.swap(id, &expected, &tombstone.to_bytes(), |_| false)? {
                Swapped::Done(_) | Swapped::Since => return Ok(false),
                Swapped::Other(_) => (),
            }
        }
    }

    fn trash_key(&self, trashed: &Trashed) -> Result<Option<String>> {
        let start = names::trashed_start(&trashed.id, trashed.removed.into());
        let listed = self.store.list([names::trash_of(&trashed.id)])?;
        let mut keys = listed.iter().map(|object| self.store.key(&object.location));
        Ok(keys.find(|key| key.starts_with(&start)))
    }
}
