//! The thread on which every request runs, so that a blocking call neither needs nor disturbs a runtime
//! of the program's own.

use std::future::Future;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, SigmaskHow};
use tokio::runtime::{Builder, Handle};

use super::interrupt::{self, LOOK};

/// Runs a future on that thread and waits for it. A program's own runtime is not entered, so this may be
/// called from inside one; like any blocking call, it keeps the thread that calls it.
///
/// Fails with [`io::ErrorKind::Interrupted`] if the call is [interrupted](interrupt), and with another kind if the
/// request was never sent.
pub(crate) fn wait<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> io::Result<T> {
    let (send, receive) = mpsc::sync_channel(1);
    let task = handle()?.spawn(async move {
        // Whoever waits may be gone: a thread that panicked, or was interrupted.
        let _ = send.send(future.await);
    });
    loop {
        let received = match interrupt::is_possible() {
            true => receive.recv_timeout(LOOK),
            false => receive.recv().map_err(Into::into),
        };
        match received {
            Ok(output) => return Ok(output),
            Err(RecvTimeoutError::Timeout) if interrupt::is_requested() => {
                task.abort();
                return Err(io::ErrorKind::Interrupted.into());
            }
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the request was not carried out"));
            }
        }
    }
}

/// Where futures run. There is one thread in a process; a fork makes another process, without it.
pub(crate) fn handle() -> io::Result<Handle> {
    static RUNTIME: Mutex<Option<(u32, Handle)>> = Mutex::new(None);
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    match &*runtime {
        Some((process, handle)) if *process == std::process::id() => Ok(handle.clone()),
        _ => {
            let handle = start()?;
            *runtime = Some((std::process::id(), handle.clone()));
            Ok(handle)
        }
    }
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let work = move || runtime.block_on(std::future::pending::<()>());
    // Signals are for the program's own threads: one that waits for them would wait in vain for those that
    // come here. A thread has from its start what the one has that starts it.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let started = thread::Builder::new().name("pitstop-object".to_owned()).spawn(work);
    before.thread_set_mask()?;
    started?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_works_inside_a_runtime_and_what_panics_there_is_an_error_here() {
        let outside = Builder::new_current_thread().build().unwrap();
        let answer = outside.block_on(async { wait(async { 42 }).unwrap() });
        assert_eq!(answer, 42);
        assert!(wait(async { panic!("on purpose") }).is_err());
        assert_eq!(wait(async { 43 }).unwrap(), 43);
    }

    #[test]
    fn an_interrupted_wait_ends_though_no_response_comes() {
        let waited = interrupt::interruptible(|| true, || wait(std::future::pending::<()>()));
        assert_eq!(waited.unwrap_err().kind(), io::ErrorKind::Interrupted);
        assert!(!interrupt::is_possible());
    }

    /// Also in one of a single thread, which a call that waits for it would stop for ever.
    #[test]
    fn sessions_are_saved_inside_a_runtime() {
        let outside = Builder::new_current_thread().enable_all().build().unwrap();
        let loaded = outside.block_on(async {
            let session =
                crate::repository::Repository::open("memory://runtime")?.get_or_create("job")?;
            session.writer()?.save(&[7; 100_000])?;
            session.load()
        });
        assert_eq!(loaded.unwrap().data, [7; 100_000]);
    }
}
