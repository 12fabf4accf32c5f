//! The one writer of a session: a kernel lock that dies with its owner.
//!
//! Where two mounts or two machines do not share locks, the record says who else may write. Whoever takes the
//! place of a writer that did not end in order puts a new file in the place of the locked one, so that this
//! writer, if it lives somewhere, finds out behind its next flush: see [`fence`](super::fence).

use super::fence::Fence;
use super::names;
use super::open::OpenSession;
use super::record::{Record, Records};
use crate::backend::WriterState;
use crate::error::{Error, Operation, Result, Subject};
use crate::sys::{Access, Directory, Failure, File, Identity, Kind, Outcome, Process, found};

/// Held by the writer of a session, and by whoever cares for it or removes it.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: File,
    fence: Fence,
    /// What the file holds when this ends.
    left: Vec<u8>,
    process: Process,
}

/// What somebody takes the lock for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Save,
    /// What the writer before left of itself stays, for nothing is saved.
    Maintain,
}

impl WriterLock {
    /// Takes the lock, or says who has it.
    pub(super) fn acquire(session: &OpenSession, purpose: Purpose) -> Result<Self> {
        let (file, named) = lock_named(session)?;
        let records = Records::read(&file)?;
        if let Some(record) = &records.left
            && record.is_seen(&file, session.disk())?
        {
            // The table of locks in which it has the lock is not this one.
            file.unlock()?;
            return Err(busy(session, records.left));
        }
        let left = match purpose {
            Purpose::Save => Vec::new(),
            Purpose::Maintain => records.left.as_ref().map_or_else(Vec::new, Record::encode),
        };
        let leave = |file: &File| leave_record(file, purpose, &left, records.len);
        // With a second name it may be somebody's own file, and is not written.
        let (file, named) = if records.len > 0 || named.links > 1 {
            claim(session, file, named, leave)?
        } else {
            leave(&file);
            (file, named)
        };
        let fence = Fence::raise(session, named)?;
        Ok(Self { file, fence, left, process: Process::current() })
    }

    /// Whether this process took it, and did not inherit it by a fork.
    pub(super) fn is_ours(&self) -> bool {
        self.process.is_current()
    }

    pub(super) fn fence(&self) -> &Fence {
        &self.fence
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // A child shares the open file, and would unlock it for its parent.
        if self.is_ours() {
            // An empty record says that its writer ended in order.
            let _ = write(&self.file, &self.left, u64::MAX);
            // Closing the file does not end the lock while a child has it open, and every child has
            // until it runs its own program.
            let _ = self.file.unlock();
        }
    }
}

/// Locks the file that has the name, and says which that is.
fn lock_named(session: &OpenSession) -> Result<(File, Identity)> {
    loop {
        let (file, before) = open(session)?;
        if !file.try_lock().map_err(cannot_lock)? {
            return Err(busy(session, Records::read(&file)?.holder));
        }
        // The lock counts only on the file that the next one will find: not in a session that was removed
        // while we came, nor on a file that was taken out of it, nor where another claimed the place.
        session.require_current()?;
        match session.dir.identity(names::WRITER)? {
            Some(now) if now.is_same_file(&before) => return Ok((file, now)),
            _ => file.unlock()?,
        }
    }
}

fn open(session: &OpenSession) -> Result<(File, Identity)> {
    let dir = &session.dir;
    if let Some(named) = dir.identity(names::WRITER)? {
        if let Some(file) = found(dir.open_file(names::WRITER, Access::Write))? {
            return Ok((file, named));
        }
    }
    // PlainBox made this session, or a power cut took the file: see create::mark_durable.
    session.root.sync_ancestors(&session.repository)?;
    session.repository.sync()?;
    let file = found(dir.open_file(names::WRITER, Access::Create))?;
    let named = dir.identity(names::WRITER)?;
    file.zip(named).ok_or_else(|| session.not_found())
}

/// Puts a new, locked file in the place of one whose writer did not end in order, or that has another name. Where
/// the disk has no room for it, that one stays.
fn claim(
    session: &OpenSession,
    old: File,
    old_name: Identity,
    leave_record: impl Fn(&File),
) -> Result<(File, Identity)> {
    let dir = &session.dir;
    // Left by one that was killed here: whoever comes here has the lock.
    found(dir.remove_file(names::NEW_WRITER))?;
    let new = match dir.open_file(names::NEW_WRITER, Access::CreateNew) {
        Err(failure) if failure.is_full() && old_name.links == 1 => {
            leave_record(&old);
            return Ok((old, old_name));
        }
        outcome => outcome?,
    };
    let is_locked = new.try_lock().map_err(cannot_lock)?;
    leave_record(&new);
    dir.rename(names::NEW_WRITER, names::WRITER)?;
    match dir.identity(names::WRITER)? {
        Some(named) if is_locked && !named.is_same_file(&old_name) => {
            old.unlock()?;
            Ok((new, named))
        }
        // Somebody who does not share our locks came at the same moment.
        _ => Err(busy(session, None)),
    }
}

/// A disk too full for it does not keep anyone from saving.
fn leave_record(file: &File, purpose: Purpose, left: &[u8], before: u64) {
    let outcome = Record::current(file).and_then(|record| {
        let mut records = record.encode();
        if purpose == Purpose::Maintain {
            records.push(b'\n');
            records.extend(if left.is_empty() { b"null" } else { left });
        }
        write(file, &records, before)
    });
    if let Err(failure) = outcome {
        tracing::debug!(error = %failure.source, "the writer's record could not be written");
    }
}

/// What was there is cut off last, so that at every moment the first record is a whole one.
fn write(file: &File, records: &[u8], before: u64) -> Outcome<()> {
    file.write_all(records)?;
    let len = records.len() as u64;
    if before > len { file.set_len(len) } else { Ok(()) }
}

fn busy(session: &OpenSession, owner: Option<Record>) -> Error {
    Error::Busy { id: session.id.clone(), owner: owner.map(|it| Box::new(it.owner)) }
}

/// Who is, or last was, the writer. Takes no lock, so that looking never makes anybody busy.
pub(super) fn holder(session: &OpenSession) -> Result<WriterState> {
    let Some(file) = found(session.dir.open_file(names::WRITER, Access::Read))? else {
        return Ok(WriterState::Idle);
    };
    if file.is_locked().map_err(cannot_lock)? {
        return Ok(WriterState::Live(Records::read(&file)?.holder.map(|it| it.owner)));
    }
    Ok(match Records::read(&file)?.left {
        Some(record) if record.is_seen(&file, session.disk())? => {
            WriterState::Live(Some(record.owner))
        }
        Some(record) => WriterState::Interrupted(record.owner),
        None => WriterState::Idle,
    })
}

/// What a writer that did not end in order left of itself.
pub(super) fn left(session: &Directory) -> Outcome<Option<Record>> {
    match found(session.open_file(names::WRITER, Access::Read))? {
        Some(file) => Ok(Records::read(&file)?.left),
        None => Ok(None),
    }
}

/// Puts that into a file that was made anew, unless a writer has come meanwhile.
pub(super) fn leave(session: &Directory, left: &Record) {
    let outcome = session.open_file(names::WRITER, Access::Write).and_then(|file| {
        if file.try_lock()? {
            if file.metadata()?.size == 0 {
                file.write_all(&left.encode())?;
            }
            file.unlock()?;
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        tracing::debug!(error = %failure.source, "the writer's record could not be kept");
    }
}

/// Whether a writer lives. Most sessions have none, and one look at its file tells.
pub(super) fn is_live(session: &Directory) -> Result<bool> {
    match session.metadata(names::WRITER)? {
        Some(there) if there.kind == Kind::File && there.size > 0 => {
            match found(session.open_file(names::WRITER, Access::Read))? {
                Some(file) => file.is_locked().map_err(cannot_lock),
                None => Ok(false),
            }
        }
        _ => Ok(false),
    }
}

fn cannot_lock(failure: Failure) -> Error {
    if failure.is_unsupported() {
        return Error::Unsupported {
            operation: Operation::Locking,
            subject: Subject::FileSystem(failure.path),
        };
    }
    failure.into()
}
