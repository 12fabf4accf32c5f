//! The one writer of a session: a kernel lock that dies with its owner, and a record that tells
//! people who that is.

use super::names;
use super::open::OpenSession;
use crate::backend::WriterState;
use crate::error::{Error, Operation, Result, Subject};
use crate::program::{ProgramEnd, ProgramState, WriterRecord};
use crate::sys::{self, Access, Directory, Failure, File, Kind, Outcome, Process, found};

/// Held by the writer of a session, and by whoever removes or unlocks it.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: File,
    process: Process,
    on_release: OnRelease,
}

/// What becomes of the record when the lock is released.
#[derive(Debug)]
enum OnRelease {
    /// It tells what the last writer left, again: housekeeping is not its program.
    Restore(WriterRecord),
    /// It is emptied: its writer ended in order, and said nothing of its program.
    Empty,
    /// It stays as it is.
    Keep,
}

impl WriterLock {
    /// Becomes the writer, or says who is.
    pub(super) fn acquire(session: &OpenSession) -> Result<Self> {
        let (dir, id) = (&session.dir, &session.id);
        let file = match found(dir.open_file(names::WRITER, Access::Write))? {
            Some(file) => file,
            None => {
                // PlainBox made this session, or a power cut took the file: see create::mark_durable.
                session.root.sync_ancestors(&session.repository)?;
                session.repository.sync()?;
                found(dir.open_file(names::WRITER, Access::Create))?
                    .ok_or_else(|| session.not_found())?
            }
        };
        if !file.try_lock().map_err(cannot_lock)? {
            let owner = read_record(&file)?.map(|it| Box::new(it.owner));
            return Err(Error::Busy { id: id.clone(), owner });
        }
        // The lock counts only on the file that the next one will find: not in a session that was
        // removed while we came, nor on a file that was taken out of it.
        let locked = file.metadata()?;
        let there = dir.identity(names::WRITER)?.is_some_and(|it| it.is_same_file(&locked));
        if !there || !session.is_current()? {
            return Err(session.not_found());
        }
        let left = if locked.size > 0 { read_record(&file)? } else { None };
        let on_release = left.map_or(OnRelease::Empty, OnRelease::Restore);
        let lock = Self { file, process: Process::current(), on_release };
        // The record only tells people, so that a disk too full for it does not keep anyone from saving.
        let record = WriterRecord { owner: sys::current_owner(), ended: None };
        if let Err(failure) = lock.write_record(locked.size, &record) {
            tracing::debug!(error = %failure.source, "the writer's record could not be written");
        }
        Ok(lock)
    }

    /// Makes the holder the session's writer, and returns the state in which it found the program.
    pub(super) fn begin_writing(&mut self) -> ProgramState {
        let left = self.left_by_writer();
        self.on_release = OnRelease::Empty;
        left
    }

    /// The state in which the last writer left the program.
    pub(super) fn left_by_writer(&self) -> ProgramState {
        match &self.on_release {
            OnRelease::Restore(record) => WriterState::from(record.clone()).program(),
            OnRelease::Empty | OnRelease::Keep => ProgramState::Idle,
        }
    }

    fn write_record(&self, len: u64, record: &WriterRecord) -> Outcome<()> {
        // Cutting an empty file costs as much as any other.
        if len > 0 {
            self.file.set_len(0)?;
        }
        self.file.write_all(&serde_json::to_vec(record).unwrap_or_default())
    }

    /// Whether this process took it, and did not inherit it by a fork.
    pub(super) fn is_ours(&self) -> bool {
        self.process.is_current()
    }

    /// Records how the program ended, durably.
    pub(super) fn finish(&mut self, end: ProgramEnd) -> Outcome<()> {
        let record = WriterRecord { owner: sys::current_owner(), ended: Some(end) };
        self.write_record(u64::MAX, &record)?;
        self.on_release = OnRelease::Keep;
        self.file.sync()
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // A child shares the open file, and would unlock it for its parent.
        if self.is_ours() {
            let _ = match &self.on_release {
                OnRelease::Restore(record) => self.write_record(u64::MAX, record),
                OnRelease::Empty => self.file.set_len(0),
                OnRelease::Keep => Ok(()),
            };
            // Closing the file does not end the lock while a child has it open, and every child has
            // until it runs its own program.
            let _ = self.file.unlock();
        }
    }
}

/// Who is, or last was, the writer. Takes no lock, so that looking never makes anybody busy.
pub(super) fn holder(session: &Directory) -> Result<WriterState> {
    let Some(file) = found(session.open_file(names::WRITER, Access::Read))? else {
        return Ok(WriterState::Idle);
    };
    if file.is_locked().map_err(cannot_lock)? {
        return Ok(WriterState::Live(read_record(&file)?.map(|it| it.owner)));
    }
    Ok(read_record(&file)?.map_or(WriterState::Idle, WriterState::from))
}

/// The state of the session's program. Most sessions have no writer, and one look at its file tells.
pub(super) fn program(session: &Directory) -> Result<ProgramState> {
    match session.metadata(names::WRITER)? {
        Some(there) if there.kind == Kind::File && there.size > 0 => Ok(holder(session)?.program()),
        _ => Ok(ProgramState::Idle),
    }
}

/// The record of the last writer of a session that nobody has locked.
pub(super) fn record(session: &Directory) -> Outcome<Option<WriterRecord>> {
    match found(session.open_file(names::WRITER, Access::Read))? {
        Some(file) => read_record(&file),
        None => Ok(None),
    }
}

/// Writes that record into the file of the same session, made anew.
pub(super) fn put_record(session: &Directory, record: Option<WriterRecord>) -> Outcome<()> {
    match (record, found(session.open_file(names::WRITER, Access::Write))?) {
        (Some(record), Some(file)) => {
            file.write_all(&serde_json::to_vec(&record).unwrap_or_default())
        }
        _ => Ok(()),
    }
}

/// A record that is half written, or none that we know, is no record.
fn read_record(file: &File) -> Outcome<Option<WriterRecord>> {
    const LONGEST: u64 = 64 * 1024;
    let size = file.metadata()?.size;
    if size > LONGEST {
        return Ok(None);
    }
    match file.read(size) {
        Ok(record) => Ok(serde_json::from_slice(&record).ok()),
        // It was emptied under our eyes.
        Err(failure) if failure.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(failure) => Err(failure),
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
