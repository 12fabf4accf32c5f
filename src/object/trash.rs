//! The trash. A session in it is a copy of its head, under a key that never comes again; what that names
//! stays where it is.
//!
//! The copy is put before the tombstone, and counts only once a tombstone names it. Whatever takes the place of
//! that tombstone notes it in the copy before. So a copy of who was killed in between never counts, whatever becomes of
//! the session. [`restore`](super::restore) takes sessions out again.

use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::cached_summary::CachedSummary;
use super::format::container::{self, Unreadable};
use super::format::head::{Head, Time, Tombstone};
use super::format::keys;
use super::format::nonce::Nonce;
use super::remove::HeadState;
use super::requests::cas::{CasOutcome, Expected};
use super::requests::client::Version;
use super::requests::probe;
use super::{Inner, list};
use crate::backend::{Trashed, Usage};
use crate::error::{Error, Result};
use crate::id::SessionId;

const ITEM: &[u8; 8] = b"PITSTRSH";

/// A session in the trash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) nonce: Nonce,
    id: String,
    removed: Time,
    files: u64,
    bytes: u64,
    /// It counts whatever stands under its name.
    #[serde(default)]
    pub(super) is_in: bool,
    /// The names under which somebody was about to put it back.
    #[serde(default)]
    pub(super) restored_to: Vec<String>,
    /// It is being deleted.
    #[serde(default)]
    pub(super) is_going: bool,
    #[serde(skip)]
    head: Bytes,
}

/// An item as it is seen together with what stands.
pub(super) struct Copy {
    pub(super) item: Item,
    pub(super) version: Version,
    pub(super) head: Head,
    pub(super) trashed: Trashed,
    /// The session is in the trash by it.
    pub(super) counts: bool,
    /// It is not, and never will be again.
    pub(super) never_counts: bool,
}

impl Item {
    pub(super) fn to_bytes(&self) -> Bytes {
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
            summary: Some(CachedSummary::of(&head.without_writer()).trashed(&id)),
            id,
            removed: self.removed.into(),
            usage: Usage::new(self.files, self.bytes),
        })
    }
}

impl Inner {
    pub(super) fn trash(&self, id: &SessionId) -> Result<Trashed> {
        let (mut head, mut version) = self.unleased_head(id)?;
        let incarnation = head.incarnation;
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
            let key = keys::trashed(id, item.removed, item.nonce);
            self.store.put(&key, item.to_bytes())?;
            match self.put_tombstone(id, &version, &Tombstone::of_trashed(&key)) {
                // The answer may be lost, and something else stand there by now.
                Ok(is_buried) if is_buried || self.copy(&key)?.is_some_and(|it| it.counts) => {
                    self.store.delete_best_effort(&[keys::beat(id)]);
                    let mut trashed = item.trashed(&head)?;
                    if let Some(summary) = &mut trashed.summary {
                        summary.version = version.e_tag.as_deref().map(list::plain_tag);
                    }
                    return Ok(trashed);
                }
                // It may count yet.
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

    /// What is in the trash. What cannot be read is passed over.
    pub(super) fn trashed(&self) -> Result<Vec<Trashed>> {
        let mut trashed = Vec::new();
        let listed = self.store.list([keys::TRASH.to_owned()])?;
        if listed.is_empty() {
            probe::is_a_store(&self.store)?;
        }
        for object in listed {
            match self.copy(&self.store.key(&object.location)) {
                Ok(Some(copy)) if copy.counts && !copy.item.is_going => trashed.push(copy.trashed),
                Ok(_) => (),
                Err(error @ (Error::Corrupt { .. } | Error::NewerFormat { .. })) => {
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
        let id = key.rsplit('/').nth(1).and_then(keys::id);
        let standing = match id.map(|id| self.head_state(&id)) {
            Some(Ok((_, standing))) => standing,
            None | Some(Err(Error::Corrupt { .. } | Error::NewerFormat { .. })) => {
                HeadState::Nothing
            }
            Some(Err(error)) => return Err(error),
        };
        let Some((item, version, head, trashed)) = self.item(key)? else { return Ok(None) };
        let is_back = self.is_back(&item, head.incarnation)?;
        let counts = !is_back
            && match &standing {
                HeadState::Session(there) => item.is_in && there.incarnation != head.incarnation,
                HeadState::Tombstone(there) => item.is_in || there.names(key),
                HeadState::Nothing => item.is_in,
            };
        let may_count = match &standing {
            // Its tombstone can be put as long as that is the head.
            HeadState::Session(there) => there.nonce == head.nonce,
            HeadState::Tombstone(_) => false,
            HeadState::Nothing => true,
        };
        let never_counts = is_back || !(item.is_in || counts || may_count);
        Ok(Some(Copy { item, version, head, trashed, counts, never_counts }))
    }

    pub(super) fn item(&self, key: &str) -> Result<Option<(Item, Version, Head, Trashed)>> {
        let Some(object) = self.store.get(key)? else { return Ok(None) };
        let unreadable = |problem| self.unreadable(key, problem);
        let item = Item::read(&object.bytes).map_err(unreadable)?;
        let head = item.head().map_err(unreadable)?;
        let trashed = item.trashed(&head)?;
        Ok(Some((item, object.version, head, trashed)))
    }

    /// Whether a session stands under a name for which somebody took it out of the trash, and left the copy.
    fn is_back(&self, item: &Item, incarnation: Nonce) -> Result<bool> {
        for name in &item.restored_to {
            if let (_, HeadState::Session(there)) = self.head_state(&SessionId::new(name)?)?
                && there.incarnation == incarnation
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
                Err(error @ (Error::Corrupt { .. } | Error::NewerFormat { .. })) => {
                    tracing::warn!(%error, "something in the trash cannot be read");
                    return Ok(());
                }
                outcome => return outcome.map(drop),
            };
            let ours = Item { nonce: Nonce::fresh(), is_in: true, ..item };
            match self.store.compare_and_put(
                key,
                &Expected::Version(version),
                &ours.to_bytes(),
                |_| false,
            )? {
                CasOutcome::Applied(_) => return Ok(()),
                CasOutcome::Superseded | CasOutcome::Rejected(_) => (),
            }
        }
    }
}
