//! The one writer of a session: a kernel lock that dies with its owner.
//!
//! Where two mounts or two machines do not share locks, the record says who else may write. Whoever takes the
//! place of a writer that did not end in order puts a new file in the place of the locked one, so that this
//! writer, if it lives somewhere, finds out behind its next flush: see [`fence`](super::fence).

use std::time::Duration;

use super::fence::Fence;
use super::journal::Held;
use super::names;
use super::open::OpenSession;
use super::record::{Record, Records};
use crate::backend::WriterState;
use crate::error::{Error, Operation, Result, Subject};
use crate::program::{ProgramEnd, ProgramState};
use crate::sys::{Access, Directory, Disk, Failure, File, Identity, Kind, Outcome, Process, found};

/// Held by the writer of a session, and by whoever cares for it or removes it.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: File,
    fence: Fence,
    /// What the last writer left of itself.
    left: Option<Record>,
    process: Process,
    on_release: OnRelease,
}

/// What becomes of the record when the lock is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnRelease {
    /// It tells what the last writer left, again: housekeeping is not its program.
    Restore,
    /// It is emptied: its writer ended in order, and said nothing of its program.
    Empty,
    /// It stays as it is.
    Keep,
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
        let left = records.left;
        if let Some(record) = &left
            && record.is_seen(&file, session.disk())?
        {
            // The table of locks in which it has the lock is not this one.
            file.unlock()?;
            return Err(busy(session, left));
        }
        let leave = |file: &File| leave_record(file, purpose, left.as_ref(), records.len);
        let is_unclean = records.len > 0 && left.as_ref().is_none_or(|it| !it.is_ended());
        // With a second name it may be somebody's own file, and is not written.
        let (file, named) = if is_unclean || named.links > 1 {
            claim(session, file, named, leave)?
        } else {
            leave(&file);
            (file, named)
        };
        let fence = Fence::raise(session, named)?;
        let process = Process::current();
        Ok(Self { file, fence, left, process, on_release: OnRelease::Restore })
    }

    /// Makes the holder the session's writer, and returns the state in which it found the program.
    pub(super) fn begin_writing(&mut self) -> ProgramState {
        self.on_release = OnRelease::Empty;
        self.left_by_writer()
    }

    /// The state in which the last writer left the program.
    pub(super) fn left_by_writer(&self) -> ProgramState {
        let left = self.left.clone();
        left.map_or(ProgramState::Idle, |left| left.into_state().program())
    }

    /// Records how the program ended, durably.
    pub(super) fn finish(&mut self, end: ProgramEnd) -> Outcome<()> {
        let record = Record::current(&self.file, Some(end))?;
        write(&self.file, &record.encode(), u64::MAX)?;
        self.on_release = OnRelease::Keep;
        self.file.sync()
    }

    /// Whether this process took it, and did not inherit it by a fork.
    pub(super) fn is_ours(&self) -> bool {
        self.process.is_current()
    }

    pub(super) fn held(&self) -> Held {
        Held { lock: self.fence.lock(), is_claim: false }
    }

    pub(super) fn fence(&self) -> &Fence {
        &self.fence
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // A child shares the open file, and would unlock it for its parent.
        if self.is_ours() {
            let left = self.left.as_ref().filter(|_| self.on_release == OnRelease::Restore);
            if self.on_release != OnRelease::Keep {
                let _ = write(&self.file, &left.map_or_else(Vec::new, Record::encode), u64::MAX);
            }
            // Closing the file does not end the lock while a child has it open, and every child has
            // until it runs its own program.
            let _ = self.file.unlock();
        }
    }
}

/// Locks the file that has the name, and says which that is.
fn lock_named(session: &OpenSession) -> Result<(File, Identity)> {
    /// A writer leaves its record just after it got the lock, and empties it just before it gives the lock
    /// back: a look a moment later tells who has it, or gets it.
    const LOOKS: u64 = 20;
    let mut look = 0;
    loop {
        let (file, before) = open(session)?;
        if !file.try_lock().map_err(cannot_lock)? {
            let holder = Records::read(&file)?.holder;
            if holder.is_some() || look == LOOKS {
                return Err(busy(session, holder));
            }
            std::thread::sleep(Duration::from_millis(look));
            look += 1;
            continue;
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
    if let Some(named) = dir.identity(names::WRITER)?
        && let Some(file) = found(dir.open_file(names::WRITER, Access::Write))?
    {
        return Ok((file, named));
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
fn leave_record(file: &File, purpose: Purpose, left: Option<&Record>, before: u64) {
    let outcome = Record::current(file, None).and_then(|record| {
        let mut records = record.encode();
        if purpose == Purpose::Maintain {
            records.push(b'\n');
            records.extend(left.map_or_else(|| b"null".to_vec(), Record::encode));
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
    Error::Busy { id: session.id.clone(), owner: owner.map(|it| Box::new(it.into_owner())) }
}

/// Who is, or last was, the writer. Takes no lock, so that looking never makes anybody busy. `disk`, if one that
/// does not share our locks is to be seen, too.
pub(super) fn holder(session: &Directory, disk: Option<&dyn Disk>) -> Result<WriterState> {
    let Some(file) = found(session.open_file(names::WRITER, Access::Read))? else {
        return Ok(WriterState::Idle);
    };
    if file.is_locked().map_err(cannot_lock)? {
        return Ok(WriterState::Live(Records::read(&file)?.holder.map(Record::into_owner)));
    }
    let Some(record) = Records::read(&file)?.left else { return Ok(WriterState::Idle) };
    Ok(match disk {
        Some(disk) if record.is_seen(&file, disk)? => WriterState::Live(Some(record.into_owner())),
        _ => record.into_state(),
    })
}

/// What the last writer left of itself.
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

/// The state of the session's program. Most sessions have no writer, and one look at its file tells.
pub(super) fn program(session: &Directory) -> Result<ProgramState> {
    match session.metadata(names::WRITER)? {
        Some(there) if there.kind == Kind::File && there.size > 0 => {
            Ok(holder(session, None)?.program())
        }
        _ => Ok(ProgramState::Idle),
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
