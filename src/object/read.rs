//! Reading what a head stands for. Readers take no part in who may write.

use std::io::{Cursor, Read};

use bytes::Bytes;

use super::Inner;
use super::format::container::Unreadable;
use super::format::head::{Head, RevisionEntry, START, Table};
use super::format::keys;
use super::requests::client::{Object, PIECE, Version};
use super::requests::download::Reader;
use crate::checkpoint::{Checkpoint, Digest};
use crate::error::{Damage, Error, Result, Step};
use crate::id::SessionId;
use crate::revision::Revision;
use crate::stream::CheckpointReader;

impl Inner {
    /// A session's head, with the payloads in it.
    pub(super) fn head(&self, id: &SessionId) -> Result<(Head, Version)> {
        let object = self.store.get(&keys::head(id))?.ok_or_else(|| self.not_found(id))?;
        self.read_head(id, object)
    }

    /// A session's head, and of the payloads in it at least the newest.
    pub(super) fn start_of_head(&self, id: &SessionId) -> Result<(Head, Version)> {
        let object = self.store.get_start(&keys::head(id), START)?;
        let object = object.ok_or_else(|| self.not_found(id))?;
        if object.bytes.len() as u64 == object.len {
            return self.read_head(id, object);
        }
        match self.read_head(id, object) {
            Ok((head, version))
                if head.newest().is_none_or(|it| it.record.is_some() || it.payload.is_some()) =>
            {
                Ok((head, version))
            }
            // Many labels: it says more than was read.
            _ => self.head(id),
        }
    }

    /// A session's head, of which this beginning was read; without payloads, if it is long.
    pub(super) fn beginning_of_head(
        &self,
        id: &SessionId,
        read: Option<Object>,
    ) -> Result<(Head, Version)> {
        let read = read.ok_or_else(|| self.not_found(id))?;
        let is_all = read.bytes.len() as u64 == read.len;
        match self.read_head(id, read) {
            // Perhaps it says more than was read.
            Err(Error::Corrupt { .. }) if !is_all => self.start_of_head(id),
            outcome => outcome,
        }
    }

    fn read_head(&self, id: &SessionId, object: Object) -> Result<(Head, Version)> {
        match Head::read(&object.bytes, object.len) {
            Ok(Some(head)) => Ok((head, object.version)),
            Ok(None) => Err(self.not_found(id)),
            Err(problem) => Err(self.unreadable(&keys::head(id), problem)),
        }
    }

    pub(super) fn load(&self, id: &SessionId) -> Result<Checkpoint> {
        let loaded = self.read_consistent(id, false, |head| {
            let newest = head.newest().ok_or_else(|| Error::NoCheckpoint { id: id.clone() })?;
            self.checkpoint(id, head, newest)
        });
        loaded.map_err(|error| match error {
            Error::Corrupt { path, damage, .. } => {
                Error::Corrupt { path, damage, newest_good: self.newest_good(id) }
            }
            other => other,
        })
    }

    /// The newest revision that can be loaded.
    fn newest_good(&self, id: &SessionId) -> Option<Revision> {
        let (entries, _) = self.history(id).ok()?;
        let mut revisions = entries.iter().map(|entry| Revision::from_number(entry.revision));
        revisions.find(|revision| self.load_revision(id, *revision).is_ok())
    }

    pub(super) fn load_revision(&self, id: &SessionId, revision: Revision) -> Result<Checkpoint> {
        let none = || Error::NoRevision { id: id.clone(), revision };
        let number = revision.number().ok_or_else(none)?;
        self.read_consistent(id, true, |head| match self.find(head, &head.table, number)? {
            Lookup::RevisionEntry(entry) => self.checkpoint(id, head, &entry),
            Lookup::Nothing => Err(none()),
            Lookup::Missing(key) => Ok(Err(key)),
        })
    }

    /// The revisions that are kept, the newest first, and those that are lost.
    pub(super) fn history(&self, id: &SessionId) -> Result<(Vec<RevisionEntry>, Vec<Revision>)> {
        self.read_consistent(id, false, |head| {
            let (mut entries, mut damaged) = (head.table.entries.clone(), Vec::new());
            let mut packs = head.table.packs.clone();
            while !packs.is_empty() {
                let pack = packs.remove(0);
                match self.pack(&pack.name, head) {
                    Ok(Ok(table)) => {
                        entries.extend(table.entries);
                        packs.splice(0..0, table.packs);
                    }
                    Ok(Err(missing)) => return Ok(Err(missing)),
                    Err(Error::Corrupt { .. }) => {
                        damaged
                            .extend((pack.oldest..=pack.newest).rev().map(Revision::from_number));
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(Ok((entries, damaged)))
        })
    }

    fn find(&self, head: &Head, table: &Table, revision: u64) -> Result<Lookup> {
        if let Some(entry) = table.entries.iter().find(|entry| entry.revision == revision) {
            return Ok(Lookup::RevisionEntry(entry.clone()));
        }
        let mut packs = table.packs.iter();
        match packs.find(|pack| (pack.oldest..=pack.newest).contains(&revision)) {
            None => Ok(Lookup::Nothing),
            Some(pack) => match self.pack(&pack.name, head)? {
                Ok(table) => self.find(head, &table, revision),
                Err(missing) => Ok(Lookup::Missing(missing)),
            },
        }
    }

    pub(super) fn pack(&self, name: &str, head: &Head) -> Result<Present<Table>> {
        let key = format!("{}/{name}", keys::records(head.incarnation));
        let Some(object) = self.store.get(&key)? else { return Ok(Err(key)) };
        match Table::from_pack(&object.bytes) {
            Ok(table) => Ok(Ok(table)),
            Err(problem) => Err(self.unreadable(&key, problem)),
        }
    }

    /// The checkpoint of an entry, every byte checked.
    fn checkpoint(
        &self,
        id: &SessionId,
        head: &Head,
        entry: &RevisionEntry,
    ) -> Result<Present<Checkpoint>> {
        let (key, data) = match (&entry.record, &entry.payload) {
            (Some(name), _) => {
                let key = format!("{}/{name}", keys::records(head.incarnation));
                match self.record(&key, entry.size)? {
                    Some(data) => (key, data),
                    None => return Ok(Err(key)),
                }
            }
            (None, payload) => (keys::head(id), payload.clone().unwrap_or_default()),
        };
        if data.len() as u64 != entry.size || Digest::of(&data) != entry.digest() {
            return Err(self.not_what_was_saved(&key, entry));
        }
        Ok(Ok(Checkpoint { info: entry.info(), data: data.into() }))
    }

    /// A record that is to be of this size; `None` if there is none.
    fn record(&self, key: &str, size: u64) -> Result<Option<Bytes>> {
        let Some(mut reader) = Reader::open(&self.store, key, size)? else { return Ok(None) };
        let mut data = Vec::with_capacity(size as usize);
        reader.read_to_end(&mut data).map_err(|source| Error::Storage {
            step: Step::Read,
            path: self.store.place(key),
            source,
        })?;
        Ok(Some(data.into()))
    }

    /// A checkpoint to be read in pieces.
    pub(super) fn open_checkpoint(
        &self,
        id: &SessionId,
        revision: Option<Revision>,
    ) -> Result<CheckpointReader> {
        let number = revision.map(|it| it.number().unwrap_or(0));
        let large = self.read_consistent(id, false, |head| {
            let newest = head.newest().ok_or_else(|| Error::NoCheckpoint { id: id.clone() });
            let found = match number {
                None => Lookup::RevisionEntry(newest?.clone()),
                Some(number) => self.find(head, &head.table, number)?,
            };
            let entry = match found {
                Lookup::RevisionEntry(entry) if entry.size > PIECE as u64 => entry,
                // As a whole, if that was read.
                Lookup::RevisionEntry(entry)
                    if entry.record.is_some() || entry.payload.is_some() =>
                {
                    let whole =
                        |it: Checkpoint| Some(CheckpointReader::new(it.info, Cursor::new(it.data)));
                    return Ok(self.checkpoint(id, head, &entry)?.map(whole));
                }
                Lookup::Missing(key) => return Ok(Err(key)),
                _ => return Ok(Ok(None)),
            };
            let name = entry.record.clone().unwrap_or_default();
            let key = format!("{}/{name}", keys::records(head.incarnation));
            let Some(reader) = Reader::open(&self.store, &key, entry.size)? else {
                return Ok(Err(key));
            };
            if reader.digest()? != Some(entry.digest()) {
                return Err(self.not_what_was_saved(&key, &entry));
            }
            let reader = Reader::open(&self.store, &key, entry.size)?;
            Ok(reader.map(|it| Some(CheckpointReader::new(entry.info(), it))).ok_or(key))
        });
        let loaded = match (large, revision) {
            (Ok(Some(reader)), _) => return Ok(reader),
            // With what is still good.
            (Ok(None) | Err(Error::Corrupt { .. }), None) => self.load(id)?,
            (Ok(None), Some(revision)) => self.load_revision(id, revision)?,
            (Err(error), _) => return Err(error),
        };
        Ok(CheckpointReader::new(loaded.info, Cursor::new(loaded.data)))
    }

    /// Reads what a head names. An object that it names may go while that is read, as the history moves on:
    /// then another head stands, and that is read. One that is gone while the same head stands is damage.
    fn read_consistent<T>(
        &self,
        id: &SessionId,
        whole: bool,
        read: impl Fn(&Head) -> Result<Present<T>>,
    ) -> Result<T> {
        let get = || if whole { self.head(id) } else { self.start_of_head(id) };
        let (mut head, _) = get()?;
        loop {
            let missing = match read(&head)? {
                Ok(it) => return Ok(it),
                Err(missing) => missing,
            };
            let (now, _) = get()?;
            if now.nonce == head.nonce {
                return Err(self.gone(&missing));
            }
            head = now;
        }
    }

    pub(super) fn gone(&self, key: &str) -> Error {
        self.corrupt(key, Damage::NoObject, None)
    }

    fn not_what_was_saved(&self, key: &str, entry: &RevisionEntry) -> Error {
        self.corrupt(key, Damage::NotAsSaved(Revision::from_number(entry.revision)), None)
    }

    pub(super) fn unreadable(&self, key: &str, problem: Unreadable) -> Error {
        match problem {
            Unreadable::Damaged(problem) => self.corrupt(key, Damage::Malformed(problem), None),
            Unreadable::Newer(version) => {
                Error::NewerFormat { path: self.store.place(key), version: version.into() }
            }
        }
    }

    fn corrupt(&self, key: &str, damage: Damage, newest_good: Option<Revision>) -> Error {
        Error::Corrupt { path: self.store.place(key), damage, newest_good }
    }
}

/// What was read, or the key of an object that is not there.
type Present<T> = std::result::Result<T, String>;

enum Lookup {
    RevisionEntry(RevisionEntry),
    Nothing,
    Missing(String),
}
