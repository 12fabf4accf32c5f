//! Objects that no head names any more, and none ever will.
//!
//! A head has a fence: a revision up to which its writers name no record or pack that it does not name itself. Whoever
//! wants to delete what is not named raises the fence to the newest revision, by a change of the head. A later head
//! was made from that one, and names nothing of it; or its condition does not hold any more.

use std::collections::HashSet;

use object_store::ObjectMeta;

use super::Inner;
use super::format::head::Head;
use super::format::keys;
use super::format::nonce::Nonce;
use super::format::table::Table;
use super::lease::HolderState;
use super::requests::cas::{CasOutcome, Expected};
use crate::error::Result;
use crate::id::SessionId;

impl Inner {
    /// Deletes what a head gave up.
    pub(super) fn delete_dropped(&self, id: &SessionId, head: &Head, dropped: &Table) {
        let prefix = keys::records(head.incarnation);
        let keys: Vec<_> = dropped.objects().map(|name| format!("{prefix}/{name}")).collect();
        self.store.delete_best_effort(&keys);
        if !dropped.packs.is_empty() {
            // They named records.
            self.collect_garbage(id, head);
        }
    }

    /// Deletes what this head does not name, up to its fence.
    pub(super) fn collect_garbage(&self, id: &SessionId, head: &Head) {
        match self.garbage(id, head, 0, head.fence, &HashSet::new()) {
            Ok(garbage) => {
                let keys: Vec<String> = garbage.into_iter().map(|(key, _)| key).collect();
                self.store.delete_best_effort(&keys);
            }
            Err(error) => tracing::debug!(%error, "could not look for what is no longer needed"),
        }
    }

    /// The keys of what came with a revision up to `fence`, or that an earlier head named, and this one does not, as if
    /// the revisions before `before` were discarded; and their sizes.
    pub(super) fn garbage(
        &self,
        id: &SessionId,
        head: &Head,
        before: u64,
        fence: u64,
        earlier: &HashSet<String>,
    ) -> Result<Vec<(String, u64)>> {
        let named = self.named(id, head, before)?;
        let prefix = keys::records(head.incarnation);
        let key = |it: ObjectMeta| {
            let name = it.location.filename()?;
            let is_old = is_up_to(name, fence) || earlier.contains(name);
            (is_old && !named.contains(name)).then(|| (format!("{prefix}/{name}"), it.size))
        };
        Ok(self.store.list([prefix.clone()])?.into_iter().filter_map(key).collect())
    }

    /// The fence that a sweep can count on: the newest revision, unless somebody may be saving, who is left alone.
    pub(super) fn possible_fence(&self, head: &Head) -> u64 {
        let is_writing = |it: &super::Lease| it.holder_state(&self.machine) != HolderState::Dead;
        match head.lease.as_ref().is_some_and(is_writing) {
            true => head.fence,
            false => head.revision().number().unwrap_or(0).max(head.fence),
        }
    }

    /// Raises the fence of a session to that, and gives the head that has it; `None` if somebody was faster.
    pub(super) fn raise_fence(&self, id: &SessionId) -> Result<Option<Head>> {
        let (head, version) = self.head(id)?;
        if self.possible_fence(&head) <= head.fence {
            return Ok(Some(head));
        }
        let mut next = head.next();
        next.raise_fence();
        let put = self.put_head(id, &Expected::Version(version), &next.to_bytes(), None)?;
        Ok(matches!(put, CasOutcome::Applied(_)).then_some(next))
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

    /// The keys of the records and packs of one incarnation of a session.
    pub(super) fn objects(&self, incarnation: Nonce) -> Result<Vec<String>> {
        let prefix = keys::records(incarnation);
        let objects = self.store.list([prefix.clone()])?;
        let key = |it: &ObjectMeta| Some(format!("{prefix}/{}", it.location.filename()?));
        Ok(objects.iter().filter_map(key).collect())
    }
}

/// Whether a record or a pack came with a revision up to this one.
pub(super) fn is_up_to(name: &str, fence: u64) -> bool {
    keys::record_revision(name).is_some_and(|revision| revision <= fence)
}
