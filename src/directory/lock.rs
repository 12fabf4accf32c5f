//! The one writer of a session: a kernel lock that dies with its owner, and a record that tells
//! people who that is.

use super::names;
use super::open::OpenSession;
use crate::backend::WriterState;
use crate::error::{Error, Operation, Result, Subject};
use crate::owner::Owner;
use crate::sys::{self, Access, Directory, Failure, File, Kind, Outcome, Process, found};

/// Held by the writer of a session, and by whoever removes or unlocks it.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: File,
    process: Process,
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
            return Err(Error::Busy { id: id.clone(), owner: read_record(&file)?.map(Box::new) });
        }
        // The lock counts only on the file that the next one will find: not in a session that was
        // removed while we came, nor on a file that was taken out of it.
        let locked = file.metadata()?;
        let there = dir.identity(names::WRITER)?.is_some_and(|it| it.is_same_file(&locked));
        if !there || !session.is_current()? {
            return Err(session.not_found());
        }
        let lock = Self { file, process: Process::current() };
        lock.leave_record(locked.size);
        Ok(lock)
    }

    /// Whether this process took it, and did not inherit it by a fork.
    pub(super) fn is_ours(&self) -> bool {
        self.process.is_current()
    }

    /// The record only tells people, so that a disk too full for it does not keep anyone from saving.
    fn leave_record(&self, len: u64) {
        let record = serde_json::to_vec(&sys::current_owner()).unwrap_or_default();
        // Cutting an empty file costs as much as any other.
        let emptied = if len > 0 { self.file.set_len(0) } else { Ok(()) };
        if let Err(failure) = emptied.and_then(|()| self.file.write_all(&record)) {
            tracing::debug!(error = %failure.source, "the writer's record could not be written");
        }
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // A child shares the open file, and would unlock it for its parent.
        if self.is_ours() {
            // An empty record says that its writer ended in order.
            let _ = self.file.set_len(0);
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
        return Ok(WriterState::Live(read_record(&file)?));
    }
    Ok(read_record(&file)?.map_or(WriterState::Idle, WriterState::Interrupted))
}

/// Whether a writer lives. Most sessions have none, and one look at its file tells.
pub(super) fn is_live(session: &Directory) -> Result<bool> {
    match session.metadata(names::WRITER)? {
        Some(there) if there.kind == Kind::File && there.size > 0 => {
            Ok(matches!(holder(session)?, WriterState::Live(_)))
        }
        _ => Ok(false),
    }
}

/// A record that is half written, or none that we know, is no record.
fn read_record(file: &File) -> Outcome<Option<Owner>> {
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
