//! Deleting what killed processes left. Nobody is asked to stand still for this, so that only that goes which can
//! never count again, whoever sleeps meanwhile and goes on:
//!
//! - what a tombstone says was removed. A life that ended so never comes back;
//! - a copy for the trash that was made of a head that is no more: its tombstone cannot be put any more;
//! - what came with a revision that the head has or had, and is not named. What somebody is about to name came with
//!   a later one, or else was made for a head that is no more.

use std::collections::{HashMap, HashSet};

use object_store::ObjectMeta;

use super::Inner;
use super::format::head::HeadFlags;
use super::format::keys;
use super::list::{BEGINNING, READ_AT_ONCE};
use super::remove::HeadState;
use super::requests::client::Object;
use super::trash::Copy;
use crate::backend::{Leftover, Sweep, Usage};
use crate::error::{Error, Result};
use crate::id::SessionId;

/// Objects that can go.
struct Garbage {
    what: &'static str,
    objects: Vec<(String, u64)>,
}

impl Inner {
    pub(super) fn sweep(&self, dry_run: bool) -> Result<Sweep> {
        let mut sweep = Sweep::default();
        self.sweep_trash(dry_run, &mut sweep)?;
        for found in self.unneeded()? {
            let keys: Vec<String> = found.objects.iter().map(|(key, _)| key.clone()).collect();
            if !dry_run {
                sweep.remains.extend(self.store.delete(&keys));
            }
            let usage = found.objects.iter().map(|(_, size)| Usage::new(1, *size)).sum();
            let place = self.store.place(keys.first().map_or("", String::as_str));
            sweep.leftovers.push(Leftover { place, what: found.what, usage });
        }
        Ok(sweep)
    }

    /// Ends what was begun with the trash.
    fn sweep_trash(&self, dry_run: bool, sweep: &mut Sweep) -> Result<()> {
        for object in self.store.list([keys::TRASH.to_owned()])? {
            let key = self.store.key(&object.location);
            let Copy { item, trashed, never_counts, .. } = match self.copy(&key) {
                Ok(Some(copy)) => copy,
                // It can be told by nothing what it is.
                Ok(None) | Err(Error::Corrupt { .. } | Error::NewerFormat { .. }) => continue,
                Err(error) => return Err(error),
            };
            let (what, usage) = match never_counts {
                true => {
                    ("a copy of a session that is not in the trash", Usage::new(1, object.size))
                }
                false if item.is_going => {
                    ("a session in the trash that was being deleted", trashed.usage)
                }
                false => continue,
            };
            if !dry_run && item.is_going {
                match self.delete_trashed(&trashed) {
                    Ok(removal) => sweep.remains.extend(removal.remains),
                    Err(Error::NotFound { .. }) => (),
                    Err(error) => return Err(error),
                }
            } else if !dry_run {
                sweep.remains.extend(self.store.delete(std::slice::from_ref(&key)));
            }
            sweep.leftovers.push(Leftover { place: self.store.place(&key), what, usage });
        }
        Ok(())
    }

    /// Records and packs that nobody needs, by session, and signs of life of sessions that are gone.
    fn unneeded(&self) -> Result<Vec<Garbage>> {
        let keyed = |it: ObjectMeta| (self.store.key(&it.location), it.size);
        // Before the heads: what is here and not named there is not new.
        let mut records: HashMap<String, Vec<(String, u64)>> = HashMap::new();
        for (key, size) in self.store.list([keys::RECORDS.to_owned()])?.into_iter().map(keyed) {
            if let Some((life, _)) = key.rsplit_once('/') {
                records.entry(life.to_owned()).or_default().push((key, size));
            }
        }
        let beats = self.store.list((0..keys::SHARDS).map(keys::beats))?;
        let heads = self.store.list((0..keys::SHARDS).map(keys::heads))?;
        let mut heads: Vec<_> = heads
            .into_iter()
            .filter_map(|it| Some((keys::id(it.location.filename()?)?, HeadFlags::of(it.size))))
            .collect();
        let is_gone =
            |it: &(SessionId, Option<HeadFlags>)| it.1.is_none().then(|| keys::beat(&it.0));
        let gone: HashSet<String> = heads.iter().filter_map(is_gone).collect();
        let mut found = Vec::new();
        for object in beats.into_iter().map(keyed).filter(|(key, _)| gone.contains(key)) {
            let what = "the sign of life of a writer that is gone";
            found.push(Garbage { what, objects: vec![object] });
        }
        if records.is_empty() {
            heads.clear();
        }
        for some in heads.chunks(READ_AT_ONCE) {
            let keys: Vec<_> = some.iter().map(|(id, _)| keys::head(id)).collect();
            for ((id, _), read) in some.iter().zip(self.store.get_starts(&keys, BEGINNING)?) {
                found.extend(read.and_then(|read| self.unneeded_of(id, read, &mut records)));
            }
        }
        Ok(found)
    }

    /// Of these records those that a session does not need. What is damaged is left as it is.
    fn unneeded_of(
        &self,
        id: &SessionId,
        read: Object,
        records: &mut HashMap<String, Vec<(String, u64)>>,
    ) -> Option<Garbage> {
        if let Ok(HeadState::Tombstone(there)) = HeadState::read(&read) {
            let objects = records.remove(&keys::records(there.removed?))?;
            return Some(Garbage { what: "what a removal left", objects });
        }
        let (head, _) = self.beginning_of_head(id, Some(read)).ok()?;
        let mut objects = records.remove(&keys::records(head.incarnation))?;
        let (named, newest) = (self.named(id, &head, 0).ok()?, head.revision().number()?);
        objects.retain(|(key, _)| {
            let name = key.rsplit('/').next().unwrap_or_default();
            keys::record_revision(name).is_some_and(|it| it <= newest) && !named.contains(name)
        });
        let what = "what a save left that was killed";
        (!objects.is_empty()).then_some(Garbage { what, objects })
    }
}
