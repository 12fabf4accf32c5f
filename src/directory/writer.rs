//! The one writer of a session, whatever its format.

use std::io::Read;
use std::path::Path;

use super::journal::JournalWriter;
use super::lock::WriterLock;
use super::names;
use super::plain::PlainWriter;
use crate::backend::BackendWriter;
use crate::checkpoint::{CheckpointInfo, SaveOptions};
use crate::error::Result;
use crate::id::SessionId;
use crate::program::{ProgramEnd, ProgramState};
use crate::sys::{Directory, found};

/// The writer of a session in a directory. The lock is given back last.
#[derive(Debug)]
pub(super) struct DirectoryWriter {
    format: FormatWriter,
    session: Directory,
    replaces: Option<SessionId>,
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
    pub(super) fn new(
        session: Directory,
        mut lock: WriterLock,
        format: FormatWriter,
    ) -> Result<Self> {
        let link = found(session.read_link(names::REPLACES))?;
        let replaces = link.and_then(|link| names::id(Path::new(&link).file_name()?).ok());
        let found = lock.begin_writing();
        Ok(Self { format, session, replaces, found, lock })
    }
}

impl BackendWriter for DirectoryWriter {
    fn save(&mut self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo> {
        match &mut self.format {
            FormatWriter::Plain(writer) => writer.save(data, options),
            FormatWriter::Journal(writer) => writer.save(data, options),
        }
    }

    fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        match &mut self.format {
            FormatWriter::Plain(writer) => writer.save_from(source, options),
            FormatWriter::Journal(writer) => writer.save_from(source, options),
        }
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
        Ok(self.lock.finish(end)?)
    }
}

impl Drop for DirectoryWriter {
    fn drop(&mut self) {
        // What a child inherited is not at the end that it was at when it was forked.
        if self.lock.is_ours()
            && let FormatWriter::Journal(writer) = &mut self.format
        {
            writer.close();
        }
    }
}
