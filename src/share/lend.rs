//! The holder's side: one thread waits for programs, and one serves each that came.

use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::borrow::wire::{self, Answer, Hello, Pieces, Request, Save, Saved};
use crate::owner::Owner;
use crate::session::Writer;

/// Lends a writer to one program at a time.
#[derive(Debug)]
pub(super) struct Lender {
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug)]
struct State {
    /// `None` while it is lent.
    writer: Option<Writer>,
    borrower: Option<Borrower>,
    closed: bool,
}

#[derive(Debug)]
struct Borrower {
    stream: UnixStream,
    owner: Owner,
}

impl Borrower {
    /// Whether it has hung up, or was killed, and only the thread that serves it does not know yet.
    fn is_gone(&self) -> bool {
        let mut stream = [PollFd::new(&self.stream, PollFlags::RDHUP)];
        poll(&mut stream, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

impl Lender {
    pub(super) fn new(writer: Writer) -> Self {
        let state = State { writer: Some(writer), borrower: None, closed: false };
        Self { state: Mutex::new(state), returned: Condvar::new() }
    }

    /// Lends to nobody from now on, and hears no more of the one that it is lent to.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        if let Some(borrower) = &state.borrower {
            // What it is answered still gets there.
            let _ = borrower.stream.shutdown(std::net::Shutdown::Read);
        }
    }

    /// The writer, as soon as it was given back.
    pub(super) fn take_back(&self) -> Writer {
        let mut state = self.state();
        loop {
            match state.writer.take() {
                Some(writer) => return writer,
                None => state = self.wait(state),
            }
        }
    }

    /// The writer as a child of the process that lends it has it: what a thread that is not here had locked
    /// stays so.
    pub(super) fn take_copy(&self) -> Option<Writer> {
        self.state.try_lock().ok()?.writer.take()
    }

    fn lend(&self, borrower: Borrower) -> Result<Lent<'_>, Option<Owner>> {
        let mut state = self.state();
        loop {
            if state.closed {
                return Err(None);
            }
            if let Some(writer) = state.writer.take() {
                state.borrower = Some(borrower);
                return Ok(Lent { lender: self, writer: Some(writer) });
            }
            match &state.borrower {
                Some(other) if !other.is_gone() => return Err(Some(other.owner.clone())),
                _ => state = self.wait(state),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.returned.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer while a program has it. Dropping this gives it back.
struct Lent<'a> {
    lender: &'a Lender,
    writer: Option<Writer>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.lender.state();
        state.writer = self.writer.take();
        state.borrower = None;
        self.lender.returned.notify_all();
    }
}

/// Waits for programs until the lender is closed.
pub(super) fn listen(listener: &UnixListener, lender: &Arc<Lender>) {
    for stream in listener.incoming() {
        if lender.state().closed {
            return;
        }
        if stream.is_err() {
            // This process has too many files open, say. There is no event that tells when not.
            thread::sleep(Duration::from_millis(100));
        }
        let served = stream.and_then(|stream| {
            let lender = lender.clone();
            thread::Builder::new().name("pitstop-lend".to_owned()).spawn(move || {
                if let Err(error) = serve(stream, &lender) {
                    tracing::debug!(%error, "a program that shares the writer broke off");
                }
            })
        });
        if let Err(error) = served {
            tracing::warn!(%error, "a program could not be let share the writer");
        }
    }
}

/// Serves one program until it hangs up.
fn serve(mut stream: UnixStream, lender: &Lender) -> io::Result<()> {
    // Who may not read the session may not write it either.
    let peer = rustix::net::sockopt::socket_peercred(&stream)?.uid;
    if !peer.is_root() && peer != rustix::process::geteuid() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let Hello { protocol, owner } = wire::receive(&mut stream)?;
    if protocol != wire::PROTOCOL {
        let other = "it is of another version of Pitstop".to_owned();
        return wire::send(&mut stream, &Answer::<()>::Other(other));
    }
    let borrower = Borrower { stream: stream.try_clone()?, owner };
    let mut lent = match lender.lend(borrower) {
        Err(Some(owner)) => return wire::send(&mut stream, &Answer::<()>::Busy(owner)),
        Err(None) => return Ok(()),
        Ok(lent) => lent,
    };
    wire::send(&mut stream, &Answer::Ok(()))?;
    loop {
        match wire::receive(&mut stream)? {
            Request::Save(save) => {
                let answer = lent.save(&mut stream, save)?;
                wire::send(&mut stream, &answer)?;
            }
            Request::End => {
                // The next one may come as soon as this one knows.
                drop(lent);
                return wire::send(&mut stream, &Answer::Ok(()));
            }
        }
    }
}

impl Lent<'_> {
    /// Fails if not all of the payload comes; then nothing was saved.
    fn save(&mut self, stream: &mut UnixStream, save: Save) -> io::Result<Answer<Saved>> {
        let Some(writer) = &mut self.writer else { return Err(io::ErrorKind::NotConnected.into()) };
        let saved = match save.size {
            Some(size) => {
                let data = read_payload(stream, size)?;
                writer.save_with(&data, &save.options())
            }
            None => {
                let mut pieces = Pieces::new(stream);
                let saved = writer.save_from(&mut pieces, &save.options());
                pieces.skip_rest()?;
                saved
            }
        };
        Ok(saved.map_or_else(|error| Answer::of(&error), |info| Answer::Ok(Saved::of(&info))))
    }
}

fn read_payload(stream: &mut UnixStream, size: u64) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    let expected = usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
    data.try_reserve_exact(expected).map_err(|_| io::ErrorKind::OutOfMemory)?;
    match stream.take(size).read_to_end(&mut data)? {
        read if read == expected => Ok(data),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
