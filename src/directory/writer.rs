//! The one writer of a session, whatever its format.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::journal::JournalWriter;
use super::lock::WriterLock;
use super::names;
use super::open::OpenSession;
use super::plain::PlainWriter;
use super::touch::Touched;
use crate::backend::BackendWriter;
use crate::checkpoint::{CheckpointInfo, SaveOptions};
use crate::error::Result;
use crate::id::SessionId;
use crate::program::{ProgramEnd, ProgramState};
use crate::sys::{Directory, Disk, found};

/// The writer of a session in a directory. The lock is given back last.
#[derive(Debug)]
pub(super) struct DirectoryWriter {
    format: FormatWriter,
    session: Directory,
    replaces: Option<SessionId>,
    disk: Arc<dyn Disk>,
    touched: Touched,
    /// The state in which it found the program.
    found: ProgramState,
    lock: WriterLock,
}

#[derive(Debug)]
pub(super) enum FormatWriter {
    Plain(PlainWriter),
    Journal(JournalWriter),
}

impl DirectoryWriter {
    /// `oldest` is when the file that no save changes was touched last.
    pub(super) fn new(
        session: &OpenSession,
        mut lock: WriterLock,
        format: FormatWriter,
        oldest: Option<SystemTime>,
    ) -> Result<Self> {
        let (session, disk) = (session.dir.clone(), session.root.disk().clone());
        let link = found(session.read_link(names::REPLACES))?;
        let replaces = link.and_then(|link| names::id(Path::new(&link).file_name()?).ok());
        let touched = Touched::since(&session, &*disk, oldest);
        let found = lock.begin_writing();
        Ok(Self { format, session, replaces, disk, touched, found, lock })
    }

    /// Saves, and is told of it only if this still was the writer when it was flushed.
    fn fenced(
        &mut self,
        save: impl FnOnce(&mut FormatWriter) -> Result<CheckpointInfo>,
    ) -> Result<CheckpointInfo> {
        self.lock.fence().before()?;
        let info = save(&mut self.format)?;
        self.touched.once_a_day(&self.session, &*self.disk);
        self.lock.fence().behind()?;
        Ok(info)
    }
}

impl BackendWriter for DirectoryWriter {
    fn save(&mut self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo> {
        self.fenced(|format| match format {
            FormatWriter::Plain(writer) => writer.save(data, options),
            FormatWriter::Journal(writer) => writer.save(data, options),
        })
    }

    fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        self.fenced(|format| match format {
            FormatWriter::Plain(writer) => writer.save_from(source, options),
            FormatWriter::Journal(writer) => writer.save_from(source, options),
        })
    }

    fn replaces(&self) -> Option<&SessionId> {
        self.replaces.as_ref()
    }

    fn set_replaced(&mut self) -> Result<()> {
        found(self.session.remove_file(names::REPLACES))?;
        self.session.sync()?;
        self.replaces = None;
        Ok(())
    }

    fn found(&self) -> ProgramState {
        self.found
    }

    fn finish(&mut self, end: ProgramEnd) -> Result<()> {
        self.lock.fence().before()?;
        self.lock.finish(end)?;
        self.lock.fence().behind()
    }
}

impl Drop for DirectoryWriter {
    fn drop(&mut self) {
        // What a child inherited, or another took over, has another end by now than this writer knows.
        if self.lock.is_ours()
            && self.lock.fence().before().is_ok()
            && let FormatWriter::Journal(writer) = &mut self.format
        {
            writer.close();
        }
    }
}
