//! Saving: a payload, in the head or as a record, and the head that names it.

use std::io::{Cursor, Read};
use std::time::SystemTime;

use bytes::Bytes;

use super::format::entry::RevisionEntry;
use super::format::head::{Head, INLINE};
use super::format::keys;
use super::format::nonce::Nonce;
use super::format::table::Table;
use super::requests::client::PIECE;
use super::requests::upload;
use super::writer::ObjectWriter;
use crate::backend::BackendWriter;
use crate::checkpoint::{CheckpointInfo, Digest, SaveOptions};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::program::{ProgramEnd, ProgramState};
use crate::revision::Revision;
use crate::stream::input_failed;

/// A checkpoint that is to be saved.
struct NewCheckpoint<'a> {
    options: &'a SaveOptions,
    /// Recognises it in the log of changes, and its entry.
    nonce: Nonce,
    size: u64,
    digest: Digest,
    /// The payload, if it can be put as often as needed.
    data: Option<Bytes>,
    record: Option<Record>,
    /// A pack that was put for a head that came to nothing so far.
    pack: Option<String>,
}

/// A payload that was put as an object of its own.
struct Record {
    incarnation: Nonce,
    /// The revision that it came with.
    revision: u64,
    name: String,
}

impl Record {
    fn key(&self) -> String {
        format!("{}/{}", keys::records(self.incarnation), self.name)
    }

    /// Whether a head made from this one may name it: it is no garbage there.
    fn can_follow(&self, head: &Head) -> bool {
        self.incarnation == head.incarnation && self.revision > head.fence
    }
}

impl<'a> NewCheckpoint<'a> {
    fn of(data: Bytes, options: &'a SaveOptions) -> Self {
        let (size, digest) = (data.len() as u64, Digest::of(&data));
        let nonce = Nonce::fresh();
        Self { options, nonce, size, digest, data: Some(data), record: None, pack: None }
    }

    /// The number that it gets after this head; a conflict if it must not follow it.
    fn number(&self, writer: &ObjectWriter) -> Result<u64> {
        let newest = writer.head.revision();
        match self.options.conflicts(newest) {
            Some(expected) => Err(writer.conflict(expected, newest)),
            None => Ok(self.options.number.unwrap_or(newest.number().unwrap_or(0) + 1)),
        }
    }

    /// Puts a payload that is too long for the head, unless that was done for a head before this one. Who has no lease looks
    /// at the head again after that: it takes its time.
    fn put_record(&mut self, writer: &mut ObjectWriter) -> Result<()> {
        let needs_record = self.size > INLINE as u64;
        while needs_record && self.record.as_ref().is_none_or(|it| !it.can_follow(&writer.head)) {
            let revision = self.number(writer)?;
            let Some(data) = &self.data else {
                return Err(writer.conflict(writer.head.revision(), Revision::NONE));
            };
            writer.inner.store.delete_best_effort(self.record.take().map(|it| it.key()).as_slice());
            let (incarnation, name) =
                (writer.head.incarnation, keys::record(revision, Nonce::fresh()));
            let record = self.record.insert(Record { incarnation, revision, name });
            upload::put(&writer.inner.payloads, &record.key(), &mut data.as_ref())?;
            if !writer.has_lease() {
                writer.rebase(writer.head.revision(), None)?;
            }
        }
        Ok(())
    }

    /// The head that has it, after the one that the writer knows; its entry, and what was dropped for it.
    fn head(&mut self, writer: &mut ObjectWriter) -> Result<(Head, (RevisionEntry, Table))> {
        writer.inner.store.delete_best_effort(self.pack.take().as_slice());
        self.put_record(writer)?;
        let info = CheckpointInfo {
            revision: Revision::from_number(self.number(writer)?),
            saved: self.options.saved.unwrap_or_else(SystemTime::now),
            size: self.size,
            digest: self.digest,
            labels: self.options.labels.clone(),
        };
        let mut entry = RevisionEntry::new(&info, self.nonce);
        match &self.record {
            Some(record) => entry.record = Some(record.name.clone()),
            None => entry.payload = self.data.clone(),
        }
        let mut next = writer.next().after(&writer.head.changes, self.nonce);
        let mut table = std::mem::take(&mut next.table);
        table.push(entry.clone());
        let dropped = table.apply_retention(self.options.retention, SystemTime::now());
        if !dropped.packs.is_empty() {
            // What they named is looked for, and has to be told from what is about to be named.
            next.fence = next.fence.max(writer.head.revision().number().unwrap_or(0));
        }
        if let Some(pack) = table.spill() {
            let key = writer.key(&pack.name);
            writer.inner.store.put(&key, pack.bytes)?;
            self.pack = Some(key);
        }
        next.table = table;
        Ok((next, (entry, dropped)))
    }

    /// Makes it the newest.
    fn save(mut self, writer: &mut ObjectWriter) -> Result<CheckpointInfo> {
        self.options.check()?;
        match writer.change(|writer| self.head(writer)) {
            Ok((entry, dropped)) => {
                if writer.is_up_to_date() {
                    writer.inner.delete_dropped(&writer.id, &writer.head, &dropped);
                }
                Ok(entry.info())
            }
            // A head may name what was put.
            Err(error @ Error::Indeterminate { .. }) => Err(error),
            Err(error) => {
                let record = self.record.map(|it| it.key());
                let put: Vec<String> = record.into_iter().chain(self.pack).collect();
                writer.inner.store.delete_best_effort(&put);
                Err(error)
            }
        }
    }
}

impl ObjectWriter {
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}/{name}", keys::records(self.head.incarnation))
    }
}

impl BackendWriter for ObjectWriter {
    fn save(&mut self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo> {
        NewCheckpoint::of(Bytes::copy_from_slice(data), options).save(self)
    }

    fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        let mut first = Vec::new();
        source.take(PIECE as u64).read_to_end(&mut first).map_err(input_failed)?;
        if first.len() < PIECE {
            return NewCheckpoint::of(first.into(), options).save(self);
        }
        if !self.has_lease() {
            // A source gives its bytes once: nobody may come between.
            *self = Self::acquire(&self.inner, &self.id)?;
        }
        let mut new = NewCheckpoint { data: None, ..NewCheckpoint::of(Bytes::new(), options) };
        let revision = new.number(self)?;
        let (incarnation, name) = (self.head.incarnation, keys::record(revision, Nonce::fresh()));
        let record = Record { incarnation, revision, name };
        let mut source = Cursor::new(first).chain(source);
        let put = upload::put(&self.inner.payloads, &record.key(), &mut source)?;
        (new.size, new.digest, new.record) = (put.size, put.digest, Some(record));
        new.save(self)
    }

    fn replaces(&self) -> Option<&SessionId> {
        self.replaces.as_ref()
    }

    fn set_replaced(&mut self) -> Result<()> {
        self.change(|writer| Ok((Head { replaces: None, ..writer.head.next() }, ())))?;
        self.replaces = None;
        Ok(())
    }

    fn found(&self) -> ProgramState {
        self.found
    }

    fn finish(&mut self, end: ProgramEnd) -> Result<()> {
        self.end(end)
    }
}
