//! The trash. A session in it is a copy of its head, under a key that never comes again; what that names
//! stays where it is.
//!
//! The copy counts only while the session itself does not stand: so it can be put before the tombstone
//! and taken away after the head is back, and a kill in between leaves one of the two. Whoever takes it out
//! claims it first, so that two never do.

use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::container::{self, Unreadable};
use super::head::{Head, Time, Tombstone};
use super::nonce::Nonce;
use super::seen::Seen;
use super::store::Version;
use super::swap::{Expected, Swapped};
use super::{Inner, list, names};
use crate::backend::{Removal, Trashed, Usage};
use crate::error::{Error, Result};
use crate::id::SessionId;

const ITEM: &[u8; 8] = b"PITSTRSH";

/// A session in the trash.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Item {
    nonce: Nonce,
    id: String,
    removed: Time,
    files: u64,
    bytes: u64,
    claim: Option<Claim>,
    #[serde(skip)]
    head: Bytes,
}

/// What somebody is doing, or was when it was killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Claim {
    Restore { to: String },
    Delete,
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
        let mut last: Option<String> = None;
        let (item, head, version) = loop {
            let (head, version) = self.free_head(id)?;
            let usage = self.usage(id)?;
            let item = Item {
                nonce: Nonce::fresh(),
                id: id.to_string(),
                removed: SystemTime::now().into(),
                files: usage.files,
                bytes: usage.bytes,
                claim: None,
                head: head.to_bytes(),
            };
            let key = names::trashed(id, item.removed, item.nonce);
            self.store.put(&key, item.to_bytes())?;
            let outcome = self.bury_once(id, &version, head.made);
            if let Some(last) = last.replace(key) {
                self.store.discard(&[last]);
            }
            match outcome? {
                true => break (item, head, version),
                false => continue,
            }
        };
        self.store.discard(&[names::beat(id)]);
        let mut trashed = item.trashed(&head)?;
        if let Some(summary) = &mut trashed.summary {
            summary.version = version.e_tag.as_deref().map(list::plain_tag);
        }
        Ok(trashed)
    }

    /// Puts a tombstone in the place of a head; whether it still was the one.
    pub(super) fn bury_once(&self, id: &SessionId, head: &Version, made: Nonce) -> Result<bool> {
        let tombstone = Tombstone { nonce: Nonce::fresh(), made }.to_bytes();
        let expected = Expected::Version(head.clone());
        Ok(!matches!(self.swap(id, &expected, &tombstone, |_| false)?, Swapped::Other(_)))
    }

    /// What is in the trash. What cannot be read is passed over.
    pub(super) fn trashed(&self) -> Result<Vec<Trashed>> {
        let mut trashed = Vec::new();
        for object in self.store.list([names::TRASH.to_owned()])? {
            let key = self.store.key(&object.location);
            match self.item(&key) {
                Ok(Some((_, _, head, it))) if !self.stands(&it.id, head.made)? => trashed.push(it),
                Ok(_) => (),
                Err(error @ (Error::Corrupt { .. } | Error::Unsupported { .. })) => {
                    tracing::warn!(%error, "something in the trash cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(trashed)
    }

    fn item(&self, key: &str) -> Result<Option<(Item, Version, Head, Trashed)>> {
        let Some(object) = self.store.get(key)? else { return Ok(None) };
        let unreadable = |problem| self.unreadable(key, problem);
        let item = Item::read(&object.bytes).map_err(unreadable)?;
        let head = item.head().map_err(unreadable)?;
        let trashed = item.trashed(&head)?;
        Ok(Some((item, object.version, head, trashed)))
    }

    /// Whether this life of a session stands under this name.
    fn stands(&self, id: &SessionId, made: Nonce) -> Result<bool> {
        match self.start_of_head(id) {
            Ok((head, _)) => Ok(head.made == made),
            Err(Error::NotFound { .. } | Error::Corrupt { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes a session out of the trash: the claim, then its head, and then the copy goes.
    pub(super) fn restore_trashed(&self, trashed: &Trashed, id: &SessionId) -> Result<()> {
        let claim = Claim::Restore { to: id.to_string() };
        let (key, item, head) = self.claim(trashed, claim)?;
        let restored = Head { epoch: head.epoch + 1, writer: None, ..head.next() };
        let bytes = restored.to_bytes();
        loop {
            let (expected, there) = self.what_stands(id)?;
            match there {
                Some(there) if there.made == head.made => break,
                Some(_) => {
                    let repository = self.store.location().to_owned();
                    return Err(Error::AlreadyExists { id: id.clone(), repository });
                }
                None => (),
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
        let (key, _, head) = self.claim(trashed, Claim::Delete)?;
        let mut remains = self.store.delete(&self.objects(head.made)?);
        if remains.is_empty() {
            remains = self.store.delete(&[key]);
        }
        Ok(Removal { remains })
    }

    /// Makes sure that nobody else takes it out of the trash.
    fn claim(&self, trashed: &Trashed, claim: Claim) -> Result<(String, Item, Head)> {
        self.probe()?;
        let not_found = || self.not_found(&trashed.id);
        let key = self.trash_key(trashed)?.ok_or_else(not_found)?;
        loop {
            let (item, version, head, _) = self.item(&key)?.ok_or_else(not_found)?;
            if item.claim == Some(Claim::Delete) && claim != Claim::Delete {
                return Err(not_found());
            }
            if self.stands(&trashed.id, head.made)? {
                return Err(not_found());
            }
            let ours = Item { nonce: Nonce::fresh(), claim: Some(claim.clone()), ..item.clone() };
            match self.store.swap(&key, &Expected::Version(version), &ours.to_bytes(), |_| false)? {
                Swapped::Done(_) => (),
                Swapped::Since | Swapped::Other(_) => continue,
            }
            if let Some(Claim::Restore { to }) = item.claim
                && self.keep_out(&SessionId::new(to)?, head.made)?
            {
                // It was back already.
                self.store.discard(&[key]);
                return Err(not_found());
            }
            return Ok((key, ours, head));
        }
    }

    /// Sees to it that who was about to put this life of a session there cannot do so any more; whether it
    /// is there already.
    fn keep_out(&self, id: &SessionId, made: Nonce) -> Result<bool> {
        let tombstone = Tombstone { nonce: Nonce::fresh(), made }.to_bytes();
        loop {
            match self.what_stands(id)? {
                (_, Some(there)) => return Ok(there.made == made),
                (expected, None) => match self.swap(id, &expected, &tombstone, |_| false)? {
                    Swapped::Done(_) | Swapped::Since => return Ok(false),
                    Swapped::Other(_) => (),
                },
            }
        }
    }

    /// What is under a name: nothing, a tombstone, or a session.
    fn what_stands(&self, id: &SessionId) -> Result<(Expected, Option<Head>)> {
        let key = names::head(id);
        let Some(object) = self.store.get(&key)? else { return Ok((Expected::Nothing, None)) };
        let head = Head::read(&object.bytes, object.len);
        let head = head.map_err(|problem| self.unreadable(&key, problem))?;
        Ok((Expected::Version(object.version), head))
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
