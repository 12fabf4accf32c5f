//! A backend as somebody else would write it: sessions with one checkpoint each, in a map.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use pitstop::{
    At, Backend, BackendWriter, Buffer, Checkpoint, CheckpointInfo, CheckpointReader, Error,
    Format, History, Listing, NewSession, Operation, Owner, ProgramEnd, ProgramState, Removal,
    Result, Retention, Revision, SaveOptions, SessionId, Status, Subject, Summary, WriterState,
};

#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    sessions: Arc<Mutex<BTreeMap<SessionId, Slot>>>,
    last: Arc<Mutex<Option<SessionId>>>,
}

#[derive(Clone, Debug)]
struct Slot {
    created: SystemTime,
    newest: Option<Checkpoint>,
    saves: u64,
    owner: Option<Owner>,
    /// How the last writer left the session.
    left: WriterState,
    replaces: Option<SessionId>,
}

impl Shelf {
    fn with<T>(&self, id: &SessionId, f: impl FnOnce(&mut Slot) -> Result<T>) -> Result<T> {
        match self.sessions.lock().unwrap().get_mut(id) {
            Some(slot) => f(slot),
            None => Err(Error::NotFound { id: id.clone(), repository: self.location().to_owned() }),
        }
    }

    fn find(&self, id: &SessionId, at: At) -> Result<Checkpoint> {
        if let At::Revision(_) = at {
            return Err(unsupported(Operation::OlderRevision, id));
        }
        let none = || Error::NoCheckpoint { id: id.clone() };
        self.with(id, |slot| slot.newest.clone().ok_or_else(none))
    }
}

fn unsupported(operation: Operation, id: &SessionId) -> Error {
    Error::Unsupported { operation, subject: Subject::Session(id.clone()) }
}

/// It keeps no numbers, so that its revisions are identities.
fn revision(saves: u64) -> Revision {
    format!("~{saves:016x}").parse().unwrap()
}

fn summary(id: &SessionId, slot: &Slot) -> Summary {
    let mut summary = Summary::new(id.clone(), Format::Other, slot.created);
    if let Some(newest) = &slot.newest {
        summary = summary.with_newest(&newest.info);
    }
    summary.live = slot.owner.is_some();
    summary
}

impl Backend for Shelf {
    fn location(&self) -> &Path {
        Path::new("shelf:")
    }

    fn create(&self, id: &SessionId, new: &NewSession) -> Result<()> {
        let mut sessions = self.sessions.lock().unwrap();
        if sessions.contains_key(id) {
            let repository = self.location().to_owned();
            return Err(Error::AlreadyExists { id: id.clone(), repository });
        }
        let replaces = new.replaces.clone();
        let created = SystemTime::now();
        let slot = Slot {
            created,
            newest: None,
            saves: 0,
            owner: None,
            left: WriterState::Idle,
            replaces,
        };
        sessions.insert(id.clone(), slot);
        Ok(())
    }

    fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        let sessions = self.sessions.lock().unwrap();
        listing.sessions = sessions.iter().map(|(id, slot)| summary(id, slot)).collect();
        Ok(listing)
    }

    fn status(&self, id: &SessionId) -> Result<Status> {
        self.with(id, |slot| {
            let owner = slot.owner.clone();
            let writer = owner.map_or(slot.left.clone(), |it| WriterState::Live(Some(it)));
            let mut status = Status::new(summary(id, slot), writer);
            status.created = Some(slot.created);
            Ok(status)
        })
    }

    fn load_into(&self, id: &SessionId, at: At, buffer: &mut dyn Buffer) -> Result<CheckpointInfo> {
        let Checkpoint { info, data, .. } = self.find(id, at)?;
        buffer.make(data.len(), &mut |room| {
            room.copy_from_slice(&data);
            Ok(())
        })?;
        Ok(info)
    }

    fn open(&self, id: &SessionId, at: At) -> Result<CheckpointReader> {
        let Checkpoint { info, data, .. } = self.find(id, at)?;
        Ok(CheckpointReader::new(info, Cursor::new(data)))
    }

    fn history(&self, id: &SessionId) -> Result<History> {
        self.with(id, |_| Err(unsupported(Operation::History, id)))
    }

    fn writer(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>> {
        self.with(id, |slot| {
            if let Some(owner) = slot.owner.clone() {
                return Err(Error::Busy { id: id.clone(), owner: Some(Box::new(owner)) });
            }
            slot.owner = Some(Owner::current());
            let found = std::mem::replace(&mut slot.left, WriterState::Idle).program();
            let (shelf, id, replaces) = (self.clone(), id.clone(), slot.replaces.clone());
            Ok(Box::new(ShelfWriter { shelf, id, found, replaces }) as Box<dyn BackendWriter>)
        })
    }

    fn remove(&self, id: &SessionId) -> Result<Removal> {
        drop(self.writer(id)?);
        self.sessions.lock().unwrap().remove(id);
        Ok(Removal::default())
    }

    fn last(&self) -> Result<Option<SessionId>> {
        let sessions = self.sessions.lock().unwrap();
        Ok(self.last.lock().unwrap().clone().filter(|last| sessions.contains_key(last)))
    }

    fn set_last(&self, id: &SessionId) -> Result<()> {
        self.with(id, |_| {
            *self.last.lock().unwrap() = Some(id.clone());
            Ok(())
        })
    }
}

#[derive(Debug)]
struct ShelfWriter {
    shelf: Shelf,
    id: SessionId,
    found: ProgramState,
    replaces: Option<SessionId>,
}

impl BackendWriter for ShelfWriter {
    fn save(&mut self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo> {
        if !options.labels().is_empty() {
            return Err(unsupported(Operation::Label, &self.id));
        }
        if options.retention() != Retention::Default {
            return Err(unsupported(Operation::Retention, &self.id));
        }
        self.shelf.with(&self.id, |slot| {
            let found = slot.newest.as_ref().map_or(Revision::NONE, |it| it.info.revision);
            if let Some(expected) = options.conflicts(found) {
                return Err(Error::Conflict { id: self.id.clone(), expected, found });
            }
            slot.saves += 1;
            let saved = options.saved().unwrap_or_else(SystemTime::now);
            let info = CheckpointInfo::new(revision(slot.saves), saved, data);
            slot.newest = Some(Checkpoint::new(info.clone(), data.to_owned()));
            Ok(info)
        })
    }

    fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        let mut data = Vec::new();
        source.read_to_end(&mut data).map_err(|source| Error::Input { source })?;
        self.save(&data, options)
    }

    fn replaces(&self) -> Option<&SessionId> {
        self.replaces.as_ref()
    }

    fn set_replaced(&mut self) -> Result<()> {
        self.replaces = None;
        self.shelf.with(&self.id, |slot| {
            slot.replaces = None;
            Ok(())
        })
    }

    fn found(&self) -> ProgramState {
        self.found
    }

    fn finish(&mut self, end: ProgramEnd) -> Result<()> {
        self.shelf.with(&self.id, |slot| {
            slot.left = WriterState::ended(Owner::current(), end);
            Ok(())
        })
    }
}

impl Drop for ShelfWriter {
    fn drop(&mut self) {
        if let Some(slot) = self.shelf.sessions.lock().unwrap().get_mut(&self.id) {
            slot.owner = None;
        }
    }
}
