//! The trash. A session in it is a copy of its head, under a key that never comes again; what that names
//! stays where it is.
//!
//! The copy is put before the tombstone, and counts only once a tombstone names it. Whatever takes the place of
//! that tombstone notes it in the copy before. So a copy of who was killed in between never counts, whatever becomes of
//! the session. Whoever takes a session out claims it first, so that two never do; then it names the copy in the
//! head, so that the copy is deleted before that session goes.

use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::container::{self, Unreadable};
use super::head::{Head, Time, Tombstone};
use super::nonce::Nonce;
use super::remove::Standing;
use super::seen::Seen;
use super::store::Version;
use super::swap::{Expected, Swapped};
use super::{Inner, list, names, probe};
use crate::backend::{Removal, Trashed, Usage};
use crate::error::{Error, Result};
use crate::id::SessionId;

const ITEM: &[u8; 8] = b"PITSTRSH";

/// A session in the trash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Item {
    nonce: Nonce,
    id: String,
    removed: Time,
    files: u64,
    bytes: u64,
    /// It counts whatever stands under its name.
    #[serde(default)]
    is_in: bool,
    /// The names under which somebody was about to put it back.
    #[serde(default)]
    restored_to: Vec<String>,
    /// It is being deleted.
    #[serde(default)]
    pub(super) is_going: bool,
    #[serde(skip)]
    head: Bytes,
}

/// An item as it is seen together with what stands.
pub(super) struct Copy {
    pub(super) item: Item,
    version: Version,
    head: Head,
    pub(super) trashed: Trashed,
    /// The session is in the trash by it.
    counts: bool,
    /// It is not, and never will be again.
    pub(super) never_counts: bool,
}

impl Item {
    fn to_bytes(&self) -> Bytes {
        container::write(ITEM, self, [&self.head], |len| len)
    }

    fn read(bytes: &Bytes) -> Result<Self, Unreadable> {
        let (item, head): (Self, Bytes) = container::read(ITEM, bytes)?;
        Ok(Self { head, ..item })
    }

    fn head(&self) -> Result<Head, Unreadable> {
        let head = Head::read(&self.head, self.head.len() as u64)?;
        head.ok_or_else(|| "it holds no session".into())
    }

    fn trashed(&self, head: &Head) -> Result<Trashed> {
        let id = SessionId::new(self.id.clone())?;
        Ok(Trashed {
            summary: Some(Seen::of(head).summary(&id, false)),
            id,
            removed: self.removed.into(),
            usage: Usage::new(self.files, self.bytes),
        })
    }
}

impl Inner {
    pub(super) fn trash(&self, id: &SessionId) -> Result<Trashed> {
        let (mut head, mut version) = self.free_head(id)?;
        let made = head.made;
        loop {
            self.end_restoring(&head)?;
            let usage = self.usage(id)?;
            let item = Item {
                nonce: Nonce::fresh(),
                id: id.to_string(),
                removed: SystemTime::now().into(),
                files: usage.files,
                bytes: usage.bytes,
                is_in: false,
                restored_to: Vec::new(),
                is_going: false,
                head: head.to_bytes(),
            };
            let key = names::trashed(id, item.removed, item.nonce);
            self.store.put(&key, item.to_bytes())?;
            match self.bury_once(id, &version, &Tombstone::of_trashed(&key)) {
                // The answer may be lost, and something else stand there by now.
                Ok(is_buried) if is_buried || self.copy(&key)?.is_some_and(|it| it.counts) => {
                    self.store.discard(&[names::beat(id)]);
                    let mut trashed = item.trashed(&head)?;
                    if let Some(summary) = &mut trashed.summary {
                        summary.version = version.e_tag.as_deref().map(list::plain_tag);
                    }
                    return Ok(trashed);
                }
                // It may count yet.
                Err(error @ Error::Indeterminate { .. }) => return Err(error),
                outcome => {
                    self.store.discard(&[key]);
                    outcome?;
                }
            }
            (head, version) = self.free_head(id)?;
            if head.made != made {
                return Err(self.not_found(id));
            }
        }
    }

    /// What is in the trash. What cannot be read is passed over.
    pub(super) fn trashed(&self) -> Result<Vec<Trashed>> {
        let mut trashed = Vec::new();
        let listed = self.store.list([names::TRASH.to_owned()])?;
        if listed.is_empty() {
            probe::is_a_store(&self.store)?;
        }
        for object in listed {
            match self.copy(&self.store.key(&object.location)) {
                Ok(Some(copy)) if copy.counts && !copy.item.is_going => trashed.push(copy.trashed),
                Ok(_) => (),
                Err(error @ (Error::Corrupt { .. } | Error::Unsupported { .. })) => {
                    tracing::warn!(%error, "something in the trash cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(trashed)
    }

    /// A copy, and what follows from what stands. That is read first: what is noted in the copy before something takes
    /// the place of a tombstone is then seen in one of the two.
    pub(super) fn copy(&self, key: &str) -> Result<Option<Copy>> {
        let id = key.rsplit('/').nth(1).and_then(names::id);
        let standing = match id.map(|id| self.what_stands(&id)) {
            Some(Ok((_, standing))) => standing,
            None | Some(Err(Error::Corrupt { .. } | Error::Unsupported { .. })) => {
                Standing::Nothing
            }
            Some(Err(error)) => return Err(error),
        };
        let Some((item, version, head, trashed)) = self.item(key)? else { return Ok(None) };
        let is_back = self.is_back(&item, head.made)?;
        let counts = !is_back
            && match &standing {
                Standing::Session(there) => item.is_in && there.made != head.made,
                Standing::Tombstone(there) => item.is_in || there.names(key),
                Standing::Nothing => item.is_in,
            };
        let may_count = match &standing {
            // Its tombstone can be put as long as that is the head.
            Standing::Session(there) => there.nonce == head.nonce,
            Standing::Tombstone(_) => false,
            Standing::Nothing => true,
        };
        let never_counts = is_back || !(item.is_in || counts || may_count);
        Ok(Some(Copy { item, version, head, trashed, counts, never_counts }))
    }

    fn item(&self, key: &str) -> Result<Option<(Item, Version, Head, Trashed)>> {
        let Some(object) = self.store.get(key)? else { return Ok(None) };
        let unreadable = |problem| self.unreadable(key, problem);
        let item = Item::read(&object.bytes).map_err(unreadable)?;
        let head = item.head().map_err(unreadable)?;
        let trashed = item.trashed(&head)?;
        Ok(Some((item, object.version, head, trashed)))
    }

    /// Whether a session stands under a name for which somebody took it out of the trash, and left the copy.
    fn is_back(&self, item: &Item, made: Nonce) -> Result<bool> {
        for name in &item.restored_to {
            if let (_, Standing::Session(there)) = self.what_stands(&SessionId::new(name)?)?
                && there.made == made
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes in a copy that it counts.
    pub(super) fn keep_in_trash(&self, key: &str) -> Result<()> {
        loop {
            let (item, version) = match self.item(key) {
                Ok(Some((item, version, ..))) if !item.is_in => (item, version),
                Err(error @ (Error::Corrupt { .. } | Error::Unsupported { .. })) => {
                    tracing::warn!(%error, "something in the trash cannot be read");
                    return Ok(());
                }
                outcome => return outcome.map(drop),
            };
            let ours = Item { nonce: Nonce::fresh(), is_in: true, ..item };
            match self.store.swap(key, &Expected::Version(version), &ours.to_bytes(), |_| false)? {
                Swapped::Done(_) => return Ok(()),
                Swapped::Since | Swapped::Other(_) => (),
            }
        }
    }

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
            let mut ours = Item { nonce: Nonce::fresh(), is_in: true, ..item.clone() };
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

    pub(super) fn usage(&self, id: &SessionId) -> Result<Usage> {
        let start = self.store.get_start(&names::head(id), 1)?;
        let (head, _) = self.start_of_head(id)?;
        let records = self.store.list([names::records(head.made)])?;
        let records: Usage = records.iter().map(|it| Usage::new(1, it.size)).sum();
        Ok([Usage::new(1, start.map_or(0, |it| it.len)), records].into_iter().sum())
    }
}
