//! Saving, by a new file and a rename.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::SystemTime;

use super::{info, leftover, names, open, unsupported};
use crate::checkpoint::{CheckpointInfo, Digest, Retention, SaveOptions};
use crate::directory::pieces;
use crate::error::{Error, Operation, Result};
use crate::id::SessionId;
use crate::revision::Revision;
use crate::sys::{Access, Dated, Directory, Disk, Failure, File};

/// The writer of a plain session.
#[derive(Debug)]
pub(in crate::directory) struct PlainWriter {
    session: Directory,
    id: SessionId,
    disk: Arc<dyn Disk>,
    /// What we saved last, so that a save that follows it need not read it.
    last: Option<(Dated, Revision)>,
}

impl PlainWriter {
    pub(in crate::directory) fn new(
        session: Directory,
        id: SessionId,
        disk: Arc<dyn Disk>,
    ) -> Self {
        Self { session, id, disk, last: None }
    }

    /// Makes `data` the checkpoint.
    pub(in crate::directory) fn save(
        &mut self,
        data: &[u8],
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        self.replace(options, |file| {
            file.write_all(data)?;
            Ok(Digest::of(data))
        })
    }

    /// Makes what a source gives the checkpoint.
    pub(in crate::directory) fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        self.replace(options, |file| Ok(pieces::copy(source, file, 0)?.1))
    }

    /// Makes what is written into the file the checkpoint.
    fn replace(
        &mut self,
        options: &SaveOptions,
        write: impl FnOnce(&File) -> Result<Digest>,
    ) -> Result<CheckpointInfo> {
        if !options.labels.is_empty() {
            return Err(unsupported(Operation::Label, &self.id));
        }
        if options.retention != Retention::Default {
            return Err(unsupported(Operation::Retention, &self.id));
        }
        self.check(options)?;
        let (new, digest) = self
            .write(write, options.saved)
            .and_then(|new| self.keep_plainbox_out(options).map(|()| new))
            .and_then(|new| self.install(&new.0, options).map(|()| new))
            .inspect_err(|_| self.clear())?;
        let info = info(digest, &new);
        self.last = Some((new, info.revision));
        Ok(info)
    }

    /// Fails if another save came between.
    fn check(&self, options: &SaveOptions) -> Result<()> {
        if options.follows.is_some() {
            let found = self.revision()?;
            if let Some(expected) = options.conflicts(found) {
                return Err(Error::Conflict { id: self.id.clone(), expected, found });
            }
        }
        Ok(())
    }

    fn revision(&self) -> Result<Revision> {
        let there = self.session.dated(names::CHECKPOINT)?;
        match (&self.last, there) {
            (_, None) => Ok(Revision::NONE),
            (Some((saved, revision)), Some(there)) if *saved == there => Ok(*revision),
            _ => Ok(open(&self.session)?.map_or(Revision::NONE, |it| it.info().revision)),
        }
    }

    /// Writes the new checkpoint beside the old one, and flushes it.
    fn write(
        &self,
        write: impl FnOnce(&File) -> Result<Digest>,
        saved: Option<SystemTime>,
    ) -> Result<(Dated, Digest)> {
        let file = match self.session.open_file(names::NEW_CHECKPOINT, Access::CreateNew) {
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {
                // A save that failed could not clear it away, nor its second name perhaps.
                leftover::clear(&self.session, &self.id, &*self.disk)?;
                self.session.remove_file(names::NEW_CHECKPOINT)?;
                self.session.open_file(names::NEW_CHECKPOINT, Access::CreateNew)?
            }
            outcome => outcome?,
        };
        let digest = write(&file)?;
        if let Some(saved) = saved {
            file.set_modified(saved)?;
        }
        let there = file.dated()?;
        file.sync()?;
        Ok((there, digest))
    }

    /// Fails if a PlainBox is saving. One that begins a moment later saves after us, which is in order,
    /// unless ours is to follow a certain revision: then nobody may come between the last look and the rename.
    fn keep_plainbox_out(&self, options: &SaveOptions) -> Result<()> {
        if options.follows.is_none() {
            return leftover::clear(&self.session, &self.id, &*self.disk);
        }
        leftover::lock_out(&self.session, &self.id, &*self.disk, names::NEW_CHECKPOINT)?;
        self.check(options)
    }

    /// Puts the new checkpoint in place. From here on a failure may leave it visible.
    fn install(&self, new: &Dated, options: &SaveOptions) -> Result<()> {
        let renamed = self.session.rename(names::NEW_CHECKPOINT, names::CHECKPOINT);
        if let Err(failure) = renamed {
            return Err(match self.session.metadata(names::CHECKPOINT) {
                Ok(Some(there)) if !there.is_same_file(new) => failure.into(),
                Ok(None) => failure.into(),
                _ => failure.indeterminate(),
            });
        }
        if options.follows.is_some() {
            // PlainBox may have broken our lock and hold its own now: leave that one alone.
            let lock = self.session.metadata(names::PLAINBOX_LOCK);
            if matches!(lock, Ok(Some(there)) if there.is_same_file(new)) {
                let _ = self.session.remove_file(names::PLAINBOX_LOCK);
            }
        }
        self.session.sync().map_err(Failure::indeterminate)
    }

    /// After a save that failed: nothing of it stays in the way of the next.
    fn clear(&self) {
        match leftover::clear(&self.session, &self.id, &*self.disk) {
            Ok(()) | Err(Error::Locked { .. }) => {
                let _ = self.session.remove_file(names::NEW_CHECKPOINT);
            }
            // By its second name our lock is known to be ours.
            Err(_) => (),
        }
    }
}
