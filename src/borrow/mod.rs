//! The side of a program that runs under the writer of another process.

pub(crate) mod wire;

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;

use crate::backend::{Backend, BackendWriter};
use crate::checkpoint::{CheckpointInfo, Digest, SaveOptions};
use crate::error::{Error, Result, Step};
use crate::id::SessionId;
use crate::program::ProgramEnd;
use crate::sys::{self, Process};
use wire::{Answer, Hello, Request, Save, Saved, Sent};

/// Names the sockets of the writers that a process may save through, with spaces between them.
pub(crate) const VARIABLE: &str = "PITSTOP_WRITER";

/// Becomes the writer by way of the process that shares it; `None` if this one does not run under such
/// a process. If that has ended, this is an error: another writer may have come since.
pub(crate) fn borrow(
    variable: Option<&OsStr>,
    backend: &Arc<dyn Backend>,
    id: &SessionId,
) -> Result<Option<Box<dyn BackendWriter>>> {
    let Some(name) = variable.and_then(|it| socket_of(it, backend, id)) else {
        return Ok(None);
    };
    let place = place(backend, id);
    let (stream, answer) = connect(&name).map_err(|source| Error::Storage {
        step: Step::Connect,
        path: place.clone(),
        source,
    })?;
    answer.into_result(id, &place)?;
    let process = Process::current();
    Ok(Some(Box::new(BorrowedWriter { stream, id: id.clone(), place, process })))
}

fn connect(name: &str) -> io::Result<(UnixStream, Answer<()>)> {
    let mut stream = UnixStream::connect_addr(&address(name)?)?;
    let hello = Hello { protocol: wire::PROTOCOL, owner: sys::current_owner() };
    wire::send(&mut stream, &hello)?;
    let answer = wire::receive(&mut stream)?;
    Ok((stream, answer))
}

#[derive(Debug)]
struct BorrowedWriter {
    stream: UnixStream,
    id: SessionId,
    place: PathBuf,
    process: Process,
}

impl BorrowedWriter {
    /// Asks for a save, sends the payload, and hears how it went.
    fn ask(
        &mut self,
        save: Save,
        payload: impl FnOnce(&mut UnixStream) -> io::Result<Sent>,
    ) -> Result<CheckpointInfo> {
        let asked = wire::send(&mut self.stream, &Request::Save(save));
        let sent = asked.and_then(|()| payload(&mut self.stream));
        let step = Step::SaveThrough;
        let path = || self.place.clone();
        let answer: Answer<Saved> = match (wire::receive(&mut self.stream), sent) {
            (_, Ok(Sent::Broken(source))) => return Err(Error::Input { source }),
            (Ok(answer), _) => answer,
            // It did not get all of it, and so saved nothing.
            (Err(_), Err(source)) => return Err(Error::Storage { step, path: path(), source }),
            (Err(source), Ok(Sent::Whole)) => {
                return Err(Error::Indeterminate { step, path: path(), source });
            }
        };
        let saved = answer.into_result(&self.id, &self.place)?;
        let invalid = || io::ErrorKind::InvalidData.into();
        saved.info().ok_or_else(|| Error::Indeterminate { step, path: path(), source: invalid() })
    }
}

impl BackendWriter for BorrowedWriter {
    fn save(&mut self, data: &[u8], options: &SaveOptions) -> Result<CheckpointInfo> {
        let save = Save::new(Some(data.len() as u64), options);
        self.ask(save, |stream| stream.write_all(data).map(|()| Sent::Whole))
    }

    fn save_from(
        &mut self,
        source: &mut dyn Read,
        options: &SaveOptions,
    ) -> Result<CheckpointInfo> {
        self.ask(Save::new(None, options), |stream| wire::send_pieces(stream, source))
    }

    /// The process that shares the writer sees to it.
    fn replaces(&self) -> Option<&SessionId> {
        None
    }

    fn set_replaced(&mut self) -> Result<()> {
        Ok(())
    }

    /// The process that shares the writer records the end of its own program.
    fn finish(&mut self, _: ProgramEnd) -> Result<()> {
        Ok(())
    }
}

impl Drop for BorrowedWriter {
    fn drop(&mut self) {
        // A child shares the socket, and would end it for its parent.
        if self.process.is_current() && wire::send(&mut self.stream, &Request::End).is_ok() {
            // Whoever asks after this is not told that the session is busy.
            let _: io::Result<Answer<()>> = wire::receive(&mut self.stream);
        }
    }
}

/// Which session a socket is for, so that a program knows without asking.
pub(crate) fn key(backend: &Arc<dyn Backend>, id: &SessionId) -> String {
    let place = [backend.location().as_os_str().as_encoded_bytes(), b"\0", id.as_str().as_bytes()];
    format!("pitstop-{:016x}-", Digest::of(&place.concat()).as_u128() as u64)
}

pub(crate) fn address(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// What is said to be in trouble.
pub(crate) fn place(backend: &Arc<dyn Backend>, id: &SessionId) -> std::path::PathBuf {
    backend.directory(id).unwrap_or_else(|| backend.location().join(id.as_str()))
}

/// The socket through which a session is to be saved, if this process runs under its writer.
pub(crate) fn socket_of(
    variable: &OsStr,
    backend: &Arc<dyn Backend>,
    id: &SessionId,
) -> Option<String> {
    let key = key(backend, id);
    let mut names = variable.to_str()?.split(' ');
    names.find(|name| name.starts_with(&key)).map(str::to_owned)
}
