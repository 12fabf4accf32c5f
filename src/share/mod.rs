//! A writer that other processes save through: the programs that its holder starts, and theirs.
//!
//! The holder listens at a socket without a file, so that nothing is left of it however it ends. Its
//! name is random, and goes to the programs in their environment. It lends the writer to one of them
//! at a time; to the others the session is busy, as it is to everybody else.

mod lend;

use std::ffi::OsString;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::borrow::{VARIABLE, address, key, place};
use crate::error::{Error, Result, Step};
use crate::random;
use crate::session::{Session, Writer};
use crate::sys::Process;
use lend::Lender;

/// A [`Writer`] that other processes save through, from [`Writer::share`] until this is dropped.
///
/// A program that is started with this [`environment`](Self::environment), and every program that it
/// starts in turn, becomes a writer of the session by [`Session::writer`] or [`Session::save`], as if
/// nobody were. They do so one at a time. All others get [`Error::Busy`].
///
/// Whoever still runs when this is dropped, or when its process is killed, can no longer save: another
/// writer may have come.
#[derive(Debug)]
pub struct SharedWriter {
    session: Session,
    name: String,
    listener: Arc<UnixListener>,
    lender: Arc<Lender>,
    process: Process,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Lets other processes save through this writer: the programs that this one starts.
    ///
    /// # Errors
    /// [`Error::Storage`] if no socket can be made.
    pub fn share(self) -> Result<SharedWriter> {
        SharedWriter::new(self)
    }
}

impl SharedWriter {
    pub(crate) fn new(mut writer: Writer) -> Result<Self> {
        writer.inner()?;
        let session = writer.session().clone();
        let name = format!("{}{}", key(session.backend(), session.id()), random_digits());
        let cannot = |source| Error::Storage {
            step: Step::Share,
            path: place(session.backend(), session.id()),
            source,
        };
        let listen = || UnixListener::bind_addr(&address(&name)?);
        let listener = Arc::new(listen().map_err(cannot)?);
        let lender = Arc::new(Lender::new(writer));
        let (here, theirs) = (listener.clone(), lender.clone());
        let thread = std::thread::Builder::new()
            .name("pitstop-share".to_owned())
            .spawn(move || lend::listen(&here, &theirs))
            .map_err(cannot)?;
        let process = Process::current();
        Ok(Self { session, name, listener, lender, process, thread: Some(thread) })
    }

    /// The session whose writer it is.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What the environment of a program must hold: `PITSTOP_WRITER`, and `PITSTOP_REPOSITORY` and
    /// `PITSTOP_SESSION`, which say what to open; on a local disk also `PITSTOP_SESSION_DIRECTORY`, in
    /// which it may keep files of its own.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut writers = OsString::from(&self.name);
        // A program may run under several, each with its own session.
        if let Some(others) = std::env::var_os(VARIABLE) {
            writers.push(" ");
            writers.push(others);
        }
        let mut environment = vec![
            (VARIABLE, writers),
            ("PITSTOP_REPOSITORY", self.session.backend().location().into()),
            ("PITSTOP_SESSION", self.session.id().as_str().into()),
        ];
        environment
            .extend(self.session.location().map(|it| ("PITSTOP_SESSION_DIRECTORY", it.into())));
        environment
    }

    /// Shares it no longer. A save that is under way is finished first.
    ///
    /// In a child of the process that shares it, what this gives fails with [`Error::Inherited`].
    pub fn into_writer(mut self) -> Writer {
        self.stop().unwrap_or_else(|| Writer::lent(self.session.clone(), self.process.clone()))
    }

    /// Gives the writer; `None` if it was given, or is lent by another process than this.
    fn stop(&mut self) -> Option<Writer> {
        let thread = self.thread.take()?;
        if !self.process.is_current() {
            // Neither the thread nor what it holds is here, and the socket is its parent's.
            std::mem::forget(thread);
            return self.lender.take_copy();
        }
        self.lender.close();
        // This ends the thread's wait for the next one.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        let _ = thread.join();
        Some(self.lender.take_back())
    }
}

impl Drop for SharedWriter {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

fn random_digits() -> String {
    format!(
        "{:016x}{:016x}",
        u64::from_le_bytes(random::bytes()),
        u64::from_le_bytes(random::bytes())
    )
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io;

    use super::*;
    use crate::backend::BackendWriter;
    use crate::borrow::{borrow, socket_of, wire};
    use crate::checkpoint::SaveOptions;
    use crate::memory::MemoryBackend;
    use crate::repository::Repository;
    use crate::revision::Revision;
    use crate::sys;

    fn shared() -> (Session, SharedWriter, OsString) {
        let repository = Repository::with_backend(MemoryBackend::new());
        let session = repository.get_or_create("job").unwrap();
        let shared = session.writer().unwrap().share().unwrap();
        let (name, value) = shared.environment().swap_remove(0);
        assert_eq!(name, VARIABLE);
        (session, shared, value)
    }

    fn borrow_from(variable: &OsStr, session: &Session) -> Result<Box<dyn BackendWriter>> {
        Ok(borrow(Some(variable), session.backend(), session.id())?
            .expect("it is for this session"))
    }

    #[test]
    fn what_is_saved_through_it_is_saved() {
        let (session, shared, variable) = shared();
        let mut writer = borrow_from(&variable, &session).unwrap();
        let large: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
        let options = SaveOptions::new().label("größe", "a=b").follows(Revision::NONE);
        let info = writer.save(&large, &options).unwrap();
        let loaded = session.load().unwrap();
        assert_eq!((&info, &large), (&loaded.info, &loaded.data));
        // Its errors are the writer's.
        let conflict = writer.save(b"2", &options);
        assert!(matches!(
            conflict,
            Err(Error::Conflict { expected: Revision::NONE, found, .. }) if found == info.revision
        ));
        assert_eq!(writer.save(b"", &SaveOptions::new()).unwrap().size, 0);
        drop((writer, shared));
        session.save(b"after").unwrap();
    }

    #[test]
    fn what_comes_in_pieces_is_saved_whole_or_not_at_all() {
        struct Broken(usize);
        impl io::Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let size = buffer.len().min(self.0);
                self.0 -= size;
                if size == 0 { Err(io::Error::other("broken")) } else { Ok(size) }
            }
        }
        let (session, shared, variable) = shared();
        let mut writer = borrow_from(&variable, &session).unwrap();
        let options = SaveOptions::new();
        for size in [0, 1, 20 << 20] {
            let data: Vec<u8> = (0..=255).cycle().take(size).collect();
            let info = writer.save_from(&mut data.as_slice(), &options).unwrap();
            assert_eq!((session.load().unwrap().data, info.size), (data, size as u64));
        }
        let newest = session.load().unwrap().info.revision;
        for size in [0, 100, 20 << 20] {
            let broken = writer.save_from(&mut Broken(size), &options);
            assert!(matches!(broken, Err(Error::Input { .. })), "{broken:?}");
            // What is refused is read to its end all the same, and the next save goes on.
            let follows = SaveOptions::new().follows(Revision::NONE);
            let refused = writer.save_from(&mut vec![1; size].as_slice(), &follows);
            assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
        }
        assert_eq!(session.load().unwrap().info.revision, newest);
        assert_eq!(writer.save(b"1", &options).unwrap().size, 1);
        drop((writer, shared));
    }

    #[test]
    fn one_at_a_time_has_it_and_others_are_told_who() {
        let (session, shared, variable) = shared();
        for _ in 0..100 {
            let first = borrow_from(&variable, &session).unwrap();
            let second = borrow_from(&variable, &session).map(drop);
            assert!(matches!(second, Err(Error::Busy { owner: Some(_), .. })), "{second:?}");
            drop(first);
        }
        assert!(matches!(session.writer(), Err(Error::Busy { .. })));
        drop(shared);
        session.writer().unwrap();
    }

    #[test]
    fn the_place_of_one_that_broke_off_is_free_at_once() {
        let (session, shared, variable) = shared();
        for _ in 0..100 {
            let mut stream = std::os::unix::net::UnixStream::connect_addr(
                &address(&socket_of(&variable, session.backend(), session.id()).unwrap()).unwrap(),
            )
            .unwrap();
            let owner = sys::current_owner();
            wire::send(&mut stream, &wire::Hello { protocol: wire::PROTOCOL, owner }).unwrap();
            let _: wire::Answer<()> = wire::receive(&mut stream).unwrap();
            // Half a request, as of one that is killed.
            let save = wire::Save::new(Some(100), &SaveOptions::new());
            wire::send(&mut stream, &wire::Request::Save(save)).unwrap();
            drop(stream);
            drop(borrow_from(&variable, &session).unwrap());
        }
        assert!(matches!(session.load(), Err(Error::NoCheckpoint { .. })));
        drop(shared);
    }

    #[test]
    fn nobody_saves_through_it_after_its_end() {
        let (session, shared, variable) = shared();
        let mut late = borrow_from(&variable, &session).unwrap();
        late.save(b"in time", &SaveOptions::new()).unwrap();
        let mut writer = shared.into_writer();
        assert!(late.save(b"late", &SaveOptions::new()).is_err());
        let refused = borrow_from(&variable, &session).map(drop);
        assert!(matches!(refused, Err(Error::Storage { .. })), "{refused:?}");
        writer.save(b"holder").unwrap();
        assert_eq!(session.load().unwrap().info.revision, Revision::from_number(2));
    }

    #[test]
    fn it_is_for_its_session_alone() {
        let (session, _shared, variable) = shared();
        let other = Repository::with_backend(MemoryBackend::new()).get_or_create("other").unwrap();
        assert!(borrow(Some(&variable), other.backend(), other.id()).unwrap().is_none());
        assert!(borrow(None, session.backend(), session.id()).unwrap().is_none());
        // Of several in the environment it is found among the others.
        let several = OsString::from(format!("pitstop-0-1 {}", variable.display()));
        drop(borrow_from(&several, &session).unwrap());
    }

    #[test]
    fn what_is_no_request_ends_nothing_but_itself() {
        use std::io::Write;
        let (session, shared, variable) = shared();
        let name = socket_of(&variable, session.backend(), session.id()).unwrap();
        for bytes in [&b"\xff\xff\xff\xff"[..], b"\x02\0\0\0{}", b"GET / HTTP/1.0\r\n\r\n", b""] {
            let connect = || std::os::unix::net::UnixStream::connect_addr(&address(&name)?);
            connect().unwrap().write_all(bytes).unwrap();
        }
        borrow_from(&variable, &session).unwrap().save(b"1", &SaveOptions::new()).unwrap();
        drop(shared);
    }
}
