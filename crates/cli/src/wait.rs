//! The option `--wait`: trying again while a session is in use.

use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use pitstop::{Error, Session, WriterState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};

use crate::values;

/// How long to wait for an event that may get lost: on a network file system, say.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct WaitArg {
    /// Wait this long for a session that is in use: 10s, 5min
    #[arg(long, value_name = "TIME", value_parser = values::age, allow_hyphen_values = true)]
    wait: Option<Duration>,
}

impl WaitArg {
    /// Makes the attempt, and makes it again while it fails because the session is in use, until the time
    /// is up.
    pub(crate) fn until_free<T>(
        &self,
        session: &Session,
        mut attempt: impl FnMut() -> pitstop::Result<T>,
    ) -> pitstop::Result<T> {
        let Some(deadline) = self.wait.and_then(|it| Instant::now().checked_add(it)) else {
            return attempt();
        };
        let releases = Releases::of(session);
        loop {
            let left = || deadline.saturating_duration_since(Instant::now());
            match attempt() {
                Err(Error::Busy { .. } | Error::Locked { .. }) if !left().is_zero() => (),
                outcome => return outcome,
            }
            loop {
                releases.next(left().min(INTERVAL));
                // Elsewhere the attempt itself finds out whether the writer lives.
                let is_local = session.location().is_some();
                if left().is_zero() || !(is_local && is_in_use(session)) {
                    break;
                }
            }
        }
    }
}

/// Looking makes nobody busy, and no event.
fn is_in_use(session: &Session) -> bool {
    session.status().is_ok_and(|it| {
        matches!(it.writer, WriterState::Live(_) | WriterState::PlainBox { stale: false, .. })
    })
}

/// Tells when the writer of a session may have ended.
struct Releases(Option<OwnedFd>);

impl Releases {
    /// A writer that ends in order empties its record; one that is killed closes the file. An attempt
    /// that fails closes it too: therefore an event is a reason to look, and no more.
    fn of(session: &Session) -> Self {
        let watch = || {
            let record = session.location()?.join("session.writer");
            let queue = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
            add_watch(&queue, record, WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE).ok()?;
            Some(queue)
        };
        Self(watch())
    }

    /// Returns after the next event, or after this time.
    fn next(&self, most: Duration) {
        let Some(queue) = &self.0 else { return thread::sleep(most) };
        let timeout = Timespec::try_from(most).unwrap_or_default();
        let _ = poll(&mut [PollFd::new(queue, PollFlags::IN)], Some(&timeout));
        let mut events = [0; 4096];
        while matches!(rustix::io::read(queue, &mut events), Ok(1..)) {}
    }
}
