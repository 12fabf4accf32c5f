//! What goes: whole sessions, and objects that no head names any more.

use std::collections::HashSet;

use object_store::ObjectMeta;

use super::Inner;
use super::format::container::Unreadable;
use super::format::head::{Head, Table, Tombstone};
use super::format::keys;
use super::format::nonce::Nonce;
use super::lease::HolderState;
use super::requests::cas::{CasOutcome, Expected};
use super::requests::client::{Object, Version};
use crate::backend::{Removal, Unlocked, Usage};
use crate::error::Result;
use crate::id::SessionId;

/// What is under a name.
pub(super) enum HeadState {
    Nothing,
    Tombstone(Tombstone),
    Session(Box<Head>),
}

impl HeadState {
    pub(super) fn read(object: &Object) -> Result<Self, Unreadable> {
        match Head::read(&object.bytes, object.len)? {
            Some(head) => Ok(Self::Session(Box::new(head))),
            None => Ok(Self::Tombstone(Tombstone::read(&object.bytes)?)),
        }
    }
}

impl Inner {
    /// Puts a tombstone in the place of the head, and then deletes what that stood for. The tombstone stays:
    /// a delete has no condition, so that it could hit a session that was made anew under that name.
    pub(super) fn remove(&self, id: &SessionId) -> Result<Removal> {
        let (mut head, mut version) = self.unleased_head(id)?;
        let incarnation = head.incarnation;
        loop {
            self.end_restoring(&head)?;
            if self.put_tombstone(id, &version, &Tombstone::of_removed(incarnation))? {
                break;
            }
            match self.head_state(id)?.1 {
                HeadState::Tombstone(there) if there.removed == Some(incarnation) => break,
                _ => (head, version) = self.unleased_head(id)?,
            }
            if head.incarnation != incarnation {
                return Err(self.not_found(id));
            }
        }
        let mut keys = self.objects(incarnation)?;
        keys.push(keys::beat(id));
        Ok(Removal { remains: self.store.delete(&keys) })
    }

    /// Puts a tombstone in the place of a head; whether it still was the one.
    pub(super) fn put_tombstone(
        &self,
        id: &SessionId,
        head: &Version,
        tombstone: &Tombstone,
    ) -> Result<bool> {
        let expected = Expected::Version(head.clone());
        let outcome = self.compare_and_put(id, &expected, &tombstone.to_bytes(), |_| false)?;
        Ok(!matches!(outcome, CasOutcome::Rejected(_)))
    }

    /// Does what a tombstone stands for. Then something else may take its place.
    pub(super) fn settle(&self, id: &SessionId, tombstone: &Tombstone) -> Result<()> {
        if let Some(name) = &tombstone.trashed {
            self.keep_in_trash(&format!("{}/{name}", keys::trash_of(id)))?;
        }
        if let Some(incarnation) = tombstone.removed {
            let remains = self.store.delete(&self.objects(incarnation)?);
            remains.into_iter().next().map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// What is under a name.
    pub(super) fn head_state(&self, id: &SessionId) -> Result<(Expected, HeadState)> {
        let key = keys::head(id);
        let Some(object) = self.store.get(&key)? else {
            return Ok((Expected::Nothing, HeadState::Nothing));
        };
        let standing =
            HeadState::read(&object).map_err(|problem| self.unreadable(&key, problem))?;
        Ok((Expected::Version(object.version), standing))
    }

    /// Frees the place of a writer that cannot be seen, on a person's word.
    pub(super) fn unlock(&self, id: &SessionId) -> Result<Unlocked> {
        self.probe()?;
        loop {
            let (head, version) = self.head(id)?;
            let Some(place) = &head.writer else { return Ok(Unlocked::Nothing) };
            match place.holder_state(&self.machine) {
                HolderState::Alive => return Err(self.busy(id, place)),
                HolderState::Dead => return Ok(Unlocked::Nothing),
                HolderState::Unknown => (),
            }
            let next = Head { epoch: head.epoch + 1, ..head.without_writer() };
            match self
                .compare_and_put(id, &Expected::Version(version), &next.to_bytes(), |_| false)?
            {
                CasOutcome::Applied(_) | CasOutcome::Superseded => {
                    return Ok(Unlocked::Displaced(place.owner.clone()));
                }
                CasOutcome::Rejected(_) => (),
            }
        }
    }

    /// Deletes what a head gave up.
    pub(super) fn delete_dropped(&self, id: &SessionId, head: &Head, dropped: &Table) {
        let prefix = keys::records(head.incarnation);
        let keys: Vec<_> = dropped.objects().map(|name| format!("{prefix}/{name}")).collect();
        if !keys.is_empty() {
            self.store.delete_best_effort(&keys);
        }
        if !dropped.packs.is_empty() {
            // They named records.
            self.collect_garbage(id, head);
        }
    }

    /// Deletes what this head does not name and no later one can: what came with a revision that it has or
    /// had. A record that is being written, for a save that follows, has a higher one.
    pub(super) fn collect_garbage(&self, id: &SessionId, head: &Head) {
        match self.garbage(id, head, 0, &HashSet::new()) {
            Ok(garbage) => {
                self.store.delete_best_effort(
                    &garbage.into_iter().map(|(key, _)| key).collect::<Vec<_>>(),
                );
            }
            Err(error) => tracing::debug!(%error, "could not look for what is no longer needed"),
        }
    }

    /// The keys of that and of what an earlier head named, and their sizes, as if the revisions before this one
    /// were given up.
    pub(super) fn garbage(
        &self,
        id: &SessionId,
        head: &Head,
        before: u64,
        earlier: &HashSet<String>,
    ) -> Result<Vec<(String, u64)>> {
        let named = self.named(id, head, before)?;
        let newest = head.revision().number().unwrap_or(0);
        let prefix = keys::records(head.incarnation);
        let key = |it: ObjectMeta| {
            let name = it.location.filename()?;
            let is_old = keys::record_revision(name).is_some_and(|it| it <= newest)
                || earlier.contains(name);
            (is_old && !named.contains(name)).then(|| (format!("{prefix}/{name}"), it.size))
        };
        Ok(self.store.list([prefix.clone()])?.into_iter().filter_map(key).collect())
    }

    /// The names of all objects that a head stands for from this revision on, through packs as well.
    pub(super) fn named(
        &self,
        id: &SessionId,
        head: &Head,
        before: u64,
    ) -> Result<HashSet<String>> {
        let (mut named, mut tables) = (HashSet::new(), vec![head.table.clone()]);
        while let Some(table) = tables.pop() {
            let entries = table.entries.into_iter().filter(|entry| entry.revision >= before);
            named.extend(entries.filter_map(|entry| entry.record));
            for pack in table.packs.into_iter().filter(|pack| pack.newest >= before) {
                tables.push(self.pack(&pack.name, head)?.map_err(|_| self.not_found(id))?);
                named.insert(pack.name);
            }
        }
        Ok(named)
    }

    /// The keys of the records and packs of one life of a session.
    pub(super) fn objects(&self, incarnation: Nonce) -> Result<Vec<String>> {
        let prefix = keys::records(incarnation);
        let objects = self.store.list([prefix.clone()])?;
        let key = |it: &ObjectMeta| Some(format!("{prefix}/{}", it.location.filename()?));
        Ok(objects.iter().filter_map(key).collect())
    }

    /// What a removal would give back.
    pub(super) fn usage(&self, id: &SessionId) -> Result<Usage> {
        let start = self.store.get_start(&keys::head(id), 1)?;
        let (head, _) = self.start_of_head(id)?;
        let records = self.store.list([keys::records(head.incarnation)])?;
        let records: Usage = records.iter().map(|it| Usage::new(1, it.size)).sum();
        Ok([Usage::new(1, start.map_or(0, |it| it.len)), records].into_iter().sum())
    }
}
