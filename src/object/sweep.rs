//! Deleting what killed processes left. Nobody is asked to stand still for this, so that only that goes which can
//! never take effect again, whoever sleeps meanwhile and goes on:
//!
//! - what a tombstone says was removed. An incarnation that ended so never comes back;
//! - a copy for the trash that was made of a head that is no more: its tombstone cannot be put any more;
//! - the heartbeat of a lease that the head does not name;
//! - what a head does not name, up to its fence. See [`garbage`](super::garbage).

use std::collections::HashMap;

use object_store::ObjectMeta;

use super::Inner;
use super::format::head::HeadState;
use super::format::keys;
use super::format::trash_entry::TrashEntry;
use super::garbage::is_up_to;
use super::list::{BEGINNING, READ_AT_ONCE};
use super::requests::client::Object;
use super::trash::{Effect, TrashCopy};
use crate::backend::{Leftover, Sweep, Usage};
use crate::error::{Error, Result};
use crate::id::SessionId;

/// No request is under way longer than this, in seconds: a day. A store refuses one whose signature is older than minutes.
const UNDER_WAY: i64 = 24 * 60 * 60;

/// Objects, each with its size.
type Objects = Vec<(String, u64)>;

/// Objects that can go.
struct Garbage {
    what: &'static str,
    objects: Objects,
}

/// What lies beside the heads, by the session or the incarnation that it is of.
struct Beside {
    records: HashMap<String, Objects>,
    heartbeats: HashMap<SessionId, Objects>,
}

impl Inner {
    pub(super) fn sweep(&self, dry_run: bool) -> Result<Sweep> {
        let mut sweep = Sweep::default();
        let trash = self.store.list([keys::TRASH.to_owned()])?;
        self.sweep_trash(&trash, dry_run, &mut sweep)?;
        for Garbage { what, objects } in self.garbage_of_all(&trash, dry_run)? {
            let keys: Vec<String> = objects.iter().map(|(key, _)| key.clone()).collect();
            if !dry_run {
                sweep.remains.extend(self.store.delete(&keys));
            }
            let usage = objects.iter().map(|(_, size)| Usage::new(1, *size)).sum();
            let place = self.store.place(keys.first().map_or("", String::as_str));
            sweep.leftovers.push(Leftover { place, what, usage });
        }
        Ok(sweep)
    }

    /// Ends what was begun with the trash.
    fn sweep_trash(&self, trash: &[ObjectMeta], dry_run: bool, sweep: &mut Sweep) -> Result<()> {
        let listed: Vec<_> = trash.iter().filter(|it| !TrashEntry::is_short(it.size)).collect();
        let keys: Vec<String> = listed.iter().map(|it| self.store.key(&it.location)).collect();
        let copies = self.copies(&keys, Some(BEGINNING))?;
        for ((key, copy), object) in keys.iter().zip(copies).zip(listed) {
            // What cannot be read is left: it may be needed.
            let Ok(Some(TrashCopy { trashed, effect, .. })) = copy else { continue };
            let (what, usage) = match effect {
                Effect::Void => {
                    ("a copy of a session that is not in the trash", Usage::new(1, object.size))
                }
                Effect::Deleting => {
                    ("a session in the trash that was being deleted", trashed.usage)
                }
                Effect::InTrash | Effect::Undecided => continue,
            };
            match (dry_run, effect) {
                (true, _) => (),
                (false, Effect::Deleting) => match self.delete_trashed(&trashed) {
                    Err(Error::NotFound { .. }) => (),
                    removal => sweep.remains.extend(removal?.remains),
                },
                (false, _) => sweep.remains.extend(self.retire(key).err()),
            }
            sweep.leftovers.push(Leftover { place: self.store.place(key), what, usage });
        }
        Ok(())
    }

    /// Records and packs that nobody needs, by session, and heartbeats of leases that are no more.
    fn garbage_of_all(&self, trash: &[ObjectMeta], dry_run: bool) -> Result<Vec<Garbage>> {
        let mut beside = self.beside_heads()?;
        let heads = self.store.list((0..keys::SHARDS).map(keys::heads))?;
        let id = |it: &ObjectMeta| {
            let id = keys::id(it.location.filename()?)?;
            (keys::head(&id) == self.store.key(&it.location)).then_some(id)
        };
        let mut ids: Vec<_> = heads.iter().filter_map(id).collect();
        if beside.records.is_empty() {
            ids.retain(|id| beside.heartbeats.contains_key(id));
        }
        let mut found: Vec<Garbage> = self.old_retired(trash, &heads)?.into_iter().collect();
        for some in ids.chunks(READ_AT_ONCE) {
            let keys: Vec<_> = some.iter().map(keys::head).collect();
            for (id, read) in some.iter().zip(self.store.get_starts(&keys, Some(BEGINNING))?) {
                // What is damaged is left as it is.
                let state = read.and_then(|read: Object| self.beginning_of_state(id, read).ok());
                found.extend(state.iter().flat_map(|it| beside.heartbeats_without(id, it)));
                found.extend(match state {
                    Some(HeadState::Tombstone(there)) => there
                        .removed
                        .and_then(|it| beside.records.remove(&keys::records(it)))
                        .map(|objects| Garbage { what: "what a removal left", objects }),
                    Some(HeadState::Session(head)) => {
                        beside.records.remove(&keys::records(head.incarnation)).and_then(
                            |objects| self.garbage_among(id, *head, objects, dry_run).ok()?,
                        )
                    }
                    _ => None,
                });
            }
        }
        Ok(found)
    }

    /// What is left of copies that were retired so long ago, by the store's clock, that no request is under way any more
    /// that once put them.
    fn old_retired(&self, trash: &[ObjectMeta], heads: &[ObjectMeta]) -> Result<Option<Garbage>> {
        let Some(now) = trash.iter().chain(heads).map(|it| it.last_modified).max() else {
            return Ok(None);
        };
        let is_old = |it: &&ObjectMeta| (now - it.last_modified).num_seconds() > UNDER_WAY;
        let old = trash.iter().filter(|it| TrashEntry::is_short(it.size)).filter(is_old);
        let mut objects: Objects = old.map(|it| (self.store.key(&it.location), it.size)).collect();
        let keys: Vec<String> = objects.iter().map(|(key, _)| key.clone()).collect();
        let mut read = self.store.get_starts(&keys, None)?.into_iter();
        objects.retain(|(key, _)| {
            let object = read.next().flatten();
            object.is_some_and(|it| matches!(self.read_entry(key, &it), Ok(None)))
        });
        let what = "what holds the key of a copy that is out of the trash";
        Ok((!objects.is_empty()).then_some(Garbage { what, objects }))
    }

    /// What is not a head, listed before the heads: what is there and not named in a head is not new.
    fn beside_heads(&self) -> Result<Beside> {
        let keyed = |it: ObjectMeta| (self.store.key(&it.location), it.size);
        let mut beside = Beside { records: HashMap::new(), heartbeats: HashMap::new() };
        for (key, size) in self.store.list([keys::RECORDS.to_owned()])?.into_iter().map(keyed) {
            if let Some((incarnation, _)) = key.rsplit_once('/') {
                beside.records.entry(incarnation.to_owned()).or_default().push((key, size));
            }
        }
        let heartbeats = self.store.list((0..keys::SHARDS).map(keys::heartbeats))?;
        for (key, size) in heartbeats.into_iter().map(keyed) {
            if let Some(id) = keys::heartbeat_id(&key) {
                beside.heartbeats.entry(id).or_default().push((key, size));
            }
        }
        Ok(beside)
    }

    /// Of these records those that a session does not need, below its fence, which is raised for that.
    fn garbage_among(
        &self,
        id: &SessionId,
        mut head: super::Head,
        mut objects: Objects,
        dry_run: bool,
    ) -> Result<Option<Garbage>> {
        let mut fence = self.possible_fence(&head);
        let retain = |objects: &mut Objects, head: &super::Head, fence: u64| -> Result<()> {
            let named = self.named(id, head, 0)?;
            objects.retain(|(key, _)| {
                let name = key.rsplit('/').next().unwrap_or_default();
                is_up_to(name, fence) && !named.contains(name)
            });
            Ok(())
        };
        retain(&mut objects, &head, fence)?;
        if !dry_run && !objects.is_empty() && fence > head.fence {
            let Some(raised) = self.raise_fence(id)? else { return Ok(None) };
            // Another one may stand there by now.
            if raised.incarnation != head.incarnation {
                return Ok(None);
            }
            (fence, head) = (raised.fence, raised);
            retain(&mut objects, &head, fence)?;
        }
        let what = "what a save left that was killed";
        Ok((!objects.is_empty()).then_some(Garbage { what, objects }))
    }
}

impl Beside {
    /// The heartbeats of a session that are not of the lease that stands.
    fn heartbeats_without(&mut self, id: &SessionId, state: &HeadState) -> Option<Garbage> {
        let mut objects = self.heartbeats.remove(id)?;
        if let HeadState::Session(head) = state
            && let Some(lease) = &head.lease
        {
            let needed = keys::heartbeat(id, lease.token);
            objects.retain(|(key, _)| *key != needed);
        }
        let what = "the heartbeat of a writer that is gone";
        (!objects.is_empty()).then_some(Garbage { what, objects })
    }
}
