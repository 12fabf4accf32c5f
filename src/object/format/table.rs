//! Which revisions are kept, and where: in the head, in records of their own, or in packs.

use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::container::{self, Unreadable};
use super::entry::RevisionEntry;
use super::keys;
use super::nonce::Nonce;
use super::time::Time;
use crate::checkpoint::Retention;

const PACK: &[u8; 8] = b"PITSPACK";

/// So many bytes of older payloads a head may hold. It is what [`Retention::Default`] keeps at most,
/// beside the newest, of checkpoints that fit into the head: then no pack is ever needed.
const OLDER_INLINE: u64 = 7 * super::head::INLINE as u64;

/// So many entries a head or a pack may have.
const ENTRIES: usize = 64;

/// So many packs a head may name; more are named by a pack.
const PACKS: usize = 64;

/// The revisions that are kept, the newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) entries: Vec<RevisionEntry>,
    /// Where those are that are older than the entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) packs: Vec<PackRef>,
}

/// An object with older revisions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PackRef {
    pub(crate) name: String,
    pub(crate) newest: u64,
    pub(crate) oldest: u64,
    pub(crate) count: usize,
    /// How many bytes their payloads are.
    pub(crate) bytes: u64,
    /// When the newest of them was saved.
    pub(crate) saved: Time,
}

/// A pack: what is written, under which name.
pub(crate) struct Pack {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

impl Table {
    /// The payloads that are in the same object, in the order of the entries.
    pub(crate) fn inline(&self) -> impl Iterator<Item = &Bytes> {
        self.entries.iter().filter_map(|entry| entry.payload.as_ref())
    }

    /// Gives the entries their payloads, as far as these were read.
    pub(crate) fn attach(&mut self, payloads: &Bytes, len: u64) -> Result<(), Unreadable> {
        let mut start = 0;
        for entry in self.entries.iter_mut().filter(|entry| entry.record.is_none()) {
            let end = start + entry.size;
            if end > len {
                let problem = format!("revision {} is cut short", entry.revision);
                return Err(Unreadable::Damaged(problem));
            }
            if end <= payloads.len() as u64 {
                entry.payload = Some(payloads.slice(start as usize..end as usize));
            }
            start = end;
        }
        Ok(())
    }

    /// Makes an entry the newest.
    pub(crate) fn push(&mut self, entry: RevisionEntry) {
        self.entries.insert(0, entry);
    }

    /// Drops what the rule does not keep, and returns it.
    pub(crate) fn apply_retention(&mut self, retention: Retention, now: SystemTime) -> Table {
        let newest = self.entries.first().map_or(0, |entry| entry.size);
        let (mut kept, mut bytes) = (0, 0);
        let mut keep = |count: usize, size: u64, saved: SystemTime| {
            let (before, within) = (kept, bytes + size);
            (kept, bytes) = (kept + count, within);
            let age = || now.duration_since(saved).unwrap_or_default();
            before < 2
                || match retention {
                    Retention::Default => before < 16 && within <= (newest * 8).max(64 * 1024),
                    Retention::Revisions(most) => before < most,
                    Retention::Bytes(most) => within <= most,
                    Retention::Age(most) => age() <= most,
                    Retention::All => true,
                }
        };
        let entries =
            self.entries.iter().take_while(|it| keep(1, it.size, it.saved.into())).count();
        let packs = match entries == self.entries.len() {
            true => {
                self.packs.iter().take_while(|it| keep(it.count, it.bytes, it.saved.into())).count()
            }
            false => 0,
        };
        Table { entries: self.entries.split_off(entries), packs: self.packs.split_off(packs) }
    }

    /// Moves what is older than the newest into a pack, if it has become too much for a head.
    pub(crate) fn spill(&mut self) -> Option<Pack> {
        let older = self.entries.iter().skip(1);
        let inline: u64 = older.filter(|it| it.record.is_none()).map(|it| it.size).sum();
        if inline <= OLDER_INLINE && self.entries.len() <= ENTRIES {
            return None;
        }
        let newest = self.entries.first()?.revision;
        let entries = self.entries.split_off(1);
        let packs = match self.packs.len() >= PACKS {
            true => std::mem::take(&mut self.packs),
            false => Vec::new(),
        };
        let (reference, pack) = Self { entries, packs }.into_pack(newest)?;
        self.packs.insert(0, reference);
        Some(pack)
    }

    /// Puts all of it into a pack, which comes with this revision, as every object does with one.
    fn into_pack(self, with: u64) -> Option<(PackRef, Pack)> {
        let (first, last) = (self.entries.first()?, self.entries.last()?);
        let nested = |it: fn(&PackRef) -> u64| self.packs.iter().map(it).sum::<u64>();
        let reference = PackRef {
            name: format!("{}.pack", keys::record(with, Nonce::fresh())),
            newest: first.revision,
            oldest: self.packs.last().map_or(last.revision, |it| it.oldest),
            count: self.entries.len() + self.packs.iter().map(|it| it.count).sum::<usize>(),
            bytes: self.entries.iter().map(|it| it.size).sum::<u64>() + nested(|it| it.bytes),
            saved: first.saved,
        };
        let bytes = container::write(PACK, &self, self.inline(), |len| len);
        let name = reference.name.clone();
        Some((reference, Pack { name, bytes }))
    }

    /// Drops what is before this revision. Of a pack that holds both, what stays goes into another one, which
    /// comes with the revision `with`; `read` reads it, and fails if it is not there.
    pub(crate) fn discard_before<E>(
        &mut self,
        before: u64,
        with: u64,
        read: &mut impl FnMut(&str) -> Result<Table, E>,
    ) -> Result<Vec<Pack>, E> {
        self.entries.retain(|entry| entry.revision >= before);
        self.packs.retain(|pack| pack.newest >= before);
        let mut made = Vec::new();
        if let Some(both) = self.packs.pop_if(|pack| pack.oldest < before) {
            let mut table = read(&both.name)?;
            made = table.discard_before(before, with, read)?;
            if let Some((reference, pack)) = table.into_pack(with) {
                self.packs.push(reference);
                made.push(pack);
            }
        }
        Ok(made)
    }

    /// Reads a pack.
    pub(crate) fn from_pack(bytes: &Bytes) -> Result<Self, Unreadable> {
        let (mut table, payloads): (Self, Bytes) = container::read(PACK, bytes)?;
        table.attach(&payloads, payloads.len() as u64)?;
        Ok(table)
    }

    /// The objects that it names itself.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &String> {
        let records = self.entries.iter().filter_map(|entry| entry.record.as_ref());
        records.chain(self.packs.iter().map(|pack| &pack.name))
    }
}
