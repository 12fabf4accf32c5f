use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::backend::{
    Backend, BackendWriter, Finding, Format, GivenUp, History, Kept, Listing, Maintenance,
    NewSession, Removal, Status, Summary, Sweep, Trashed, Unlocked, Usage, WriterState,
};
use crate::checkpoint::{Checkpoint, CheckpointInfo, Digest, Retention, SaveOptions};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::owner::Owner;
use crate::program::{ProgramEnd, ProgramState, WriterRecord};
use crate::revision::{At, Revision};
use crate::stream::{Buffer, CheckpointReader, copy_into, input_failed};
use crate::sys;

/// A repository in the memory of this process: for tests, and the model that others are held against.
/// Its clones share their sessions.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    sessions: Arc<Mutex<Sessions>>,
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: HashMap<SessionId, Slot>,
    trash: Vec<(Trashed, Slot)>,
    last: Option<SessionId>,
    /// How many were made, so that one made anew is told from one that was removed.
    made: u64,
}

#[derive(Debug)]
struct Slot {
    number: u64,
    made: SystemTime,
    /// The newest last.
    checkpoints: Vec<Checkpoint>,
    writer: Option<Owner>,
    ended: Option<WriterRecord>,
    replaces: Option<SessionId>,
}

impl Slot {
    fn state(&self) -> WriterState {
        match (&self.writer, &self.ended) {
            (Some(owner), _) => WriterState::Live(Some(owner.clone())),
            (None, Some(record)) => record.clone().into(),
            (None, None) => WriterState::Idle,
        }
    }

    /// The rule of [`Retention`], with the payload for the storage it takes.
    fn forget(&mut self, retention: Retention) {
        let newest = self.checkpoints.last().map_or(0, |it| it.info.size);
        let now = SystemTime::now();
        let mut bytes = 0;
        let kept = |(n, it): (usize, &Checkpoint)| {
            bytes += it.info.size;
            let age = now.duration_since(it.info.saved).unwrap_or_default();
            n < 2
                || match retention {
                    Retention::Default => n < 16 && bytes <= (newest * 8).max(64 * 1024),
                    Retention::Revisions(most) => n < most,
                    Retention::Bytes(most) => bytes <= most,
                    Retention::Age(most) => age <= most,
                    Retention::All => true,
                }
        };
        let kept = self.checkpoints.iter().rev().enumerate().map(kept).take_while(|it| *it).count();
        self.checkpoints.drain(..self.checkpoints.len() - kept);
    }
}

impl MemoryBackend {
    /// An empty repository.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        // No method leaves the sessions half-changed, so a panic elsewhere spoils nothing.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: &SessionId, f: impl FnOnce(&mut Slot) -> Result<T>) -> Result<T> {
        self.lock().by_id.get_mut(id).map_or_else(|| Err(self.not_found(id)), f)
    }

    fn find(&self, id: &SessionId, at: At) -> Result<Checkpoint> {
        self.with(id, |slot| match at {
            At::Newest => {
                let newest = slot.checkpoints.last().cloned();
                newest.ok_or_else(|| Error::NoCheckpoint { id: id.clone() })
            }
            At::Revision(revision) => {
                let mut checkpoints = slot.checkpoints.iter();
                let found = checkpoints.find(|checkpoint| checkpoint.info.revision == revision);
                found.cloned().ok_or_else(|| Error::NoRevision { id: id.clone(), revision })
            }
        })
    }

    fn not_found(&self, id: &SessionId) -> Error {
        Error::NotFound { id: id.clone(), repository: self.location().to_owned() }
    }
}

impl Backend for MemoryBackend {
    fn location(&self) -> &Path {
        Path::new("memory:")
    }

    fn create(&self, id: &SessionId, new: &NewSession) -> Result<()> {
        let mut sessions = self.lock();
        if sessions.by_id.contains_key(id) {
            let repository = self.location().to_owned();
            return Err(Error::AlreadyExists { id: id.clone(), repository });
        }
        sessions.made += 1;
        let slot = Slot {
            number: sessions.made,
            made: SystemTime::now(),
            checkpoints: Vec::new(),
            writer: None,
            ended: None,
            replaces: new.replaces.clone(),
        };
        sessions.by_id.insert(id.clone(), slot);
        Ok(())
    }

    fn list(&self) -> Result<Listing> {
        let sessions = self.lock();
        let summaries = sessions.by_id.iter().map(|(id, slot)| summary(id, slot)).collect();
        Ok(Listing { sessions: summaries, ..Listing::default() })
    }

    fn status(&self, id: &SessionId) -> Result<Status> {
        self.with(id, |slot| {
            Ok(Status {
                summary: summary(id, slot),
                created: Some(slot.made),
                writer: slot.state(),
            })
        })
    }

    fn load_into(&self, id: &SessionId, at: At, buffer: &mut dyn Buffer) -> Result<CheckpointInfo> {
        let Checkpoint { info, data } = self.find(id, at)?;
        copy_into(buffer, &data)?;
        Ok(info)
    }

    fn open(&self, id: &SessionId, at: At) -> Result<CheckpointReader> {
        let Checkpoint { info, data } = self.find(id, at)?;
        Ok(CheckpointReader::new(info, Cursor::new(data)))
    }

    fn history(&self, id: &SessionId) -> Result<History> {
        self.with(id, |slot| {
            let kept = |it: &Checkpoint| Kept { info: it.info.clone(), stored: it.info.size };
            let revisions = slot.checkpoints.iter().rev().map(kept).collect();
            Ok(History { revisions, ..History::default() })
        })
    }

    fn writer(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>> {
        self.with(id, |slot| {
            busy(id, slot)?;
            let found = slot.state().program();
            (slot.writer, slot.ended) = (Some(sys::current_owner()), None);
            Ok(Box::new(MemoryWriter {
                backend: self.clone(),
                id: id.clone(),
                number: slot.number,
                replaces: slot.replaces.clone(),
                found,
            }) as Box<dyn BackendWriter>)
        })
    }

    fn remove(&self, id: &SessionId) -> Result<Removal> {
        let mut sessions = self.lock();
        busy(id, sessions.by_id.get(id).ok_or_else(|| self.not_found(id))?)?;
        sessions.by_id.remove(id);
        Ok(Removal::default())
    }

    fn last(&self) -> Result<Option<SessionId>> {
        let sessions = self.lock();
        Ok(sessions.last.clone().filter(|last| sessions.by_id.contains_key(last)))
    }

    fn set_last(&self, id: &SessionId) -> Result<()> {
        let mut sessions = self.lock();
        if !sessions.by_id.contains_key(id) {
            return Err(self.not_found(id));
        }
        sessions.last = Some(id.clone());
        Ok(())
    }

    fn maintenance(&self) -> Option<&dyn Maintenance> {
        Some(self)
    }
}

impl Maintenance for MemoryBackend {
    fn unlock(&self, id: &SessionId) -> Result<Unlocked> {
        self.with(id, |slot| busy(id, slot).map(|()| Unlocked::Nothing))
    }

    fn usage(&self, id: &SessionId) -> Result<Usage> {
        self.with(id, |slot| Ok(usage(slot)))
    }

    fn trash(&self, id: &SessionId) -> Result<Trashed> {
        let mut sessions = self.lock();
        let slot = sessions.by_id.get(id).ok_or_else(|| self.not_found(id))?;
        busy(id, slot)?;
        let mut trashed = Trashed {
            id: id.clone(),
            removed: SystemTime::now(),
            summary: Some(summary(id, slot)),
            usage: usage(slot),
        };
        while sessions.trash.iter().any(|(other, _)| is_same(other, &trashed)) {
            trashed.removed += Duration::from_micros(1);
        }
        if let Some(slot) = sessions.by_id.remove(id) {
            sessions.trash.push((trashed.clone(), slot));
        }
        Ok(trashed)
    }

    fn trashed(&self) -> Result<Vec<Trashed>> {
        Ok(self.lock().trash.iter().map(|(trashed, _)| trashed.clone()).collect())
    }

    fn restore_trashed(&self, trashed: &Trashed, id: &SessionId) -> Result<()> {
        let mut sessions = self.lock();
        let at = sessions.trash.iter().position(|(other, _)| is_same(other, trashed));
        let at = at.ok_or_else(|| self.not_found(&trashed.id))?;
        if sessions.by_id.contains_key(id) {
            let repository = self.location().to_owned();
            return Err(Error::AlreadyExists { id: id.clone(), repository });
        }
        let (_, slot) = sessions.trash.remove(at);
        sessions.by_id.insert(id.clone(), slot);
        Ok(())
    }

    fn delete_trashed(&self, trashed: &Trashed) -> Result<Removal> {
        let mut sessions = self.lock();
        let at = sessions.trash.iter().position(|(other, _)| is_same(other, trashed));
        sessions.trash.remove(at.ok_or_else(|| self.not_found(&trashed.id))?);
        Ok(Removal::default())
    }

    fn discard_before(&self, id: &SessionId, before: Revision, dry_run: bool) -> Result<GivenUp> {
        self.with(id, |slot| {
            if !dry_run {
                busy(id, slot)?;
            }
            let older = |it: &Checkpoint| it.info.revision.number() < before.number();
            let but_newest = slot.checkpoints.len().saturating_sub(1);
            let count = slot.checkpoints.iter().take(but_newest).take_while(|it| older(it)).count();
            let usage = slot.checkpoints[..count].iter().map(of_file).sum();
            if !dry_run {
                slot.checkpoints.drain(..count);
            }
            Ok(GivenUp { usage, remains: Vec::new() })
        })
    }

    /// A process that is killed leaves nothing of its memory.
    fn sweep(&self, _: bool) -> Result<Sweep> {
        Ok(Sweep::default())
    }

    fn verify_layout(&self) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    fn repair_layout(&self, _: Option<&SessionId>) -> Result<()> {
        Ok(())
    }
}

fn busy(id: &SessionId, slot: &Slot) -> Result<()> {
    match &slot.writer {
        Some(owner) => Err(Error::Busy { id: id.clone(), owner: Some(Box::new(owner.clone())) }),
        None => Ok(()),
    }
}

fn is_same(one: &Trashed, other: &Trashed) -> bool {
    (&one.id, one.removed) == (&other.id, other.removed)
}

fn usage(slot: &Slot) -> Usage {
    slot.checkpoints.iter().map(of_file).sum()
}

/// Each checkpoint stands for a file.
fn of_file(checkpoint: &Checkpoint) -> Usage {
    Usage::new(1, checkpoint.info.size)
}

fn summary(id: &SessionId, slot: &Slot) -> Summary {
    let newest = slot.checkpoints.last().map(|checkpoint| &checkpoint.info);
    Summary {
        id: id.clone(),
        saved: newest.map(|info| info.saved),
        size: newest.map(|info| info.size),
        labels: Some(newest.map(|info| info.labels.clone()).unwrap_or_default()),
        changed: newest.map_or(slot.made, |info| info.saved),
        format: Format::Memory,
        live: slot.writer.is_some(),
        state: Some(slot.state().program()),
        version: None,
    }
}

#[derive(Debug)]
struct MemoryWriter {
    backend: MemoryBackend,
    id: SessionId,
    number: u64,
    replaces: Option<SessionId>,
    found: ProgramState,
}

impl BackendWriter for MemoryWriter {
    fn save(&mut self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo> {
        options.check()?;
        self.backend.with(&self.id, |slot| {
            let newest = slot.checkpoints.last();
            let found = newest.map_or(Revision::NONE, |checkpoint| checkpoint.info.revision);
            if let Some(expected) = options.conflicts(found) {
                return Err(Error::Conflict { id: self.id.clone(), expected, found });
            }
            let next = options.number.unwrap_or(found.number().unwrap_or(0) + 1);
            let info = CheckpointInfo {
                revision: Revision::from_number(next),
                saved: options.saved.unwrap_or_else(SystemTime::now),
                size: data.len() as u64,
                digest: Digest::of(data),
                labels: options.labels.clone(),
            };
            slot.checkpoints.push(Checkpoint { info: info.clone(), data: data.to_owned() });
            slot.forget(options.retention);
            Ok(info)
        })
    }

    fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        let mut data = Vec::new();
        source.read_to_end(&mut data).map_err(input_failed)?;
        self.save(&data, options)
    }

    fn replaces(&self) -> Option<&SessionId> {
        self.replaces.as_ref()
    }

    fn set_replaced(&mut self) -> Result<()> {
        self.replaces = None;
        self.backend.with(&self.id, |slot| {
            slot.replaces = None;
            Ok(())
        })
    }

    fn found(&self) -> ProgramState {
        self.found
    }

    fn finish(&mut self, end: ProgramEnd) -> Result<()> {
        let record = WriterRecord { owner: sys::current_owner(), ended: Some(end) };
        self.backend.with(&self.id, |slot| {
            slot.ended = Some(record);
            Ok(())
        })
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        let mut sessions = self.backend.lock();
        if let Some(slot) = sessions.by_id.get_mut(&self.id) {
            slot.writer.take_if(|_| slot.number == self.number);
        }
    }
}
