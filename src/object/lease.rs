//! The writer lease: who holds it, and whether the holder is alive.
//!
//! No kernel lock reaches over a network, so this rests on three things. A lease is acquired and released by
//! changing the head, which only one can do. Its holder changes an object of its own from time to time, the heartbeat.
//! And whoever wants the lease of a holder that it cannot see watches that object and the head, by its own
//! monotonic clock, for as long as a live holder never lets pass. No two clocks are compared.
//!
//! What nobody can exclude is a holder that stood still for so long and goes on. Its next save finds the
//! head changed and gets a conflict. docs/object-store.md has the whole argument.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::Inner;
use super::format::head::{Head, HeadState};
use super::format::keys;
use super::format::nonce::Nonce;
use super::list::BEGINNING;
use super::requests::client::Store;
use super::requests::runtime;
use crate::error::Result;
use crate::id::SessionId;
use crate::owner::Owner;
use crate::sys::{self, Machine};

/// The time from one heartbeat to the next.
pub(super) const BEAT: Duration = Duration::from_secs(20);

/// A live holder never lets so many intervals pass without a heartbeat.
const MISSED: u32 = 3;

/// How often a watcher looks in an interval.
const LOOKS: u32 = 4;

/// A heartbeat is at most this long, in bytes.
const HEARTBEAT: u64 = 128;

/// A lease, as it is noted in the head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) token: Nonce,
    pub(super) owner: Owner,
    machine: Machine,
    /// The interval of the heartbeats, in milliseconds.
    beat: u64,
}

/// What can be told at once of the holder of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HolderState {
    /// It is a process of this boot of this machine, and runs.
    Alive,
    /// It was one, and is gone.
    Dead,
    /// It is elsewhere. An earlier boot of this machine is that too: two machines may have one name and one
    /// machine-id.
    Unknown,
}

/// What was seen of a holder that is elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// It sent a heartbeat, or saved.
    Alive,
    /// It was silent for too long.
    Expired,
    /// It holds the lease no more.
    Replaced,
}

impl Lease {
    pub(super) fn new(owner: Owner, machine: Machine, beat: Duration) -> Self {
        Self { token: Nonce::fresh(), owner, machine, beat: beat.as_millis() as u64 }
    }

    pub(super) fn holder_state(&self, here: &Machine) -> HolderState {
        if !self.machine.is_same_system(here) {
            return HolderState::Unknown;
        }
        let is_alive = match self.owner.pid == std::process::id() {
            // This process knows its leases.
            true => held().contains(&self.token),
            false => sys::is_running(self.owner.pid, self.owner.start_time),
        };
        if is_alive { HolderState::Alive } else { HolderState::Dead }
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(self.beat)
    }
}

impl Inner {
    /// Watches the holder of the lease in this head, until it is seen to live or was silent for too long.
    pub(super) fn watch(&self, id: &SessionId, head: &Head, lease: &Lease) -> Result<Watched> {
        let (clock, key) = (&self.store.clock, keys::heartbeat(id, lease.token));
        let heartbeat = || -> Result<u64> {
            let object = self.store.get_start(&key, HEARTBEAT)?;
            Ok(object.and_then(|object| number(&object.bytes)).unwrap_or(0))
        };
        let first = heartbeat()?;
        let start = clock.now();
        loop {
            clock.sleep(lease.interval() / LOOKS);
            // The time counts from the first response to when the last look was begun.
            let watched = clock.now() - start;
            // A late copy of an earlier heartbeat has a lower number.
            if heartbeat()? > first {
                return Ok(Watched::Alive);
            }
            let now = self.store.get_start(&keys::head(id), BEGINNING)?;
            let (now, _) = self.beginning_of_head(id, now)?;
            if !now.has_lease(lease.token) {
                return Ok(Watched::Replaced);
            }
            if now.changes != head.changes {
                return Ok(Watched::Alive);
            }
            if watched >= lease.interval() * MISSED {
                return Ok(Watched::Expired);
            }
        }
    }
}

/// A lease that this process holds: heartbeats are sent until this is dropped.
#[derive(Debug)]
pub(super) struct LeaseGuard {
    pub(super) token: Nonce,
    heartbeat: String,
    /// Whether there was ever a heartbeat.
    has_sent: Arc<AtomicBool>,
    task: Option<JoinHandle<()>>,
}

impl LeaseGuard {
    pub(super) fn new(lease: &Lease, epoch: u64, store: &Arc<Store>, id: &SessionId) -> Self {
        held().insert(lease.token);
        let has_sent = Arc::new(AtomicBool::new(false));
        let heartbeats = Heartbeats {
            id: id.clone(),
            token: lease.token,
            epoch,
            interval: lease.interval(),
            store: store.clone(),
            has_sent: has_sent.clone(),
        };
        let task = runtime::handle().ok().map(|runtime| runtime.spawn(heartbeats.send()));
        Self { token: lease.token, heartbeat: keys::heartbeat(id, lease.token), has_sent, task }
    }

    /// Ends the heartbeats. The lease is held until it is released, but by nobody who saves.
    pub(super) fn end(self) -> Self {
        self.stop();
        self
    }

    fn stop(&self) {
        held().remove(&self.token);
        if let Some(task) = &self.task {
            task.abort();
        }
    }

    /// The key of the heartbeat, which is to be deleted when the lease is released; none if none was sent.
    pub(super) fn heartbeat(&self) -> Option<String> {
        self.has_sent.load(Ordering::Relaxed).then(|| self.heartbeat.clone())
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The tokens of the leases that this process holds.
fn held() -> MutexGuard<'static, HashSet<Nonce>> {
    static HELD: LazyLock<Mutex<HashSet<Nonce>>> = LazyLock::new(Mutex::default);
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a heartbeat says: the token, the epoch, and its number.
fn heartbeat(token: Nonce, epoch: u64, number: u64) -> Bytes {
    format!("{token} {epoch} {number}\n").into()
}

/// The number of a heartbeat.
fn number(heartbeat: &[u8]) -> Option<u64> {
    std::str::from_utf8(heartbeat).ok()?.split_whitespace().nth(2)?.parse().ok()
}

/// The heartbeats of one lease.
struct Heartbeats {
    id: SessionId,
    token: Nonce,
    epoch: u64,
    interval: Duration,
    store: Arc<Store>,
    has_sent: Arc<AtomicBool>,
}

impl Heartbeats {
    /// Sends them, as long as the head names this lease or cannot be read. The first one comes after an interval: a writer
    /// that is soon done costs nothing.
    async fn send(self) {
        let clock = &self.store.clock;
        let mut due = clock.now() + self.interval;
        for count in 1.. {
            clock.later(due.saturating_sub(clock.now())).await;
            due = clock.now() + self.interval;
            self.send_one(count, due).await;
            if self.is_over().await {
                return;
            }
        }
    }

    /// Tries to send one until the next one is due.
    async fn send_one(&self, number: u64, due: Duration) {
        let clock = &self.store.clock;
        let mut pause = self.interval / 40;
        while let (Ok(store), Ok(path)) =
            (self.store.connection(), self.store.path(&keys::heartbeat(&self.id, self.token)))
        {
            self.has_sent.store(true, Ordering::Relaxed);
            let bytes = heartbeat(self.token, self.epoch, number);
            let put = std::pin::pin!(store.put(&path, bytes.into()));
            if let Either::Left((Ok(_), _)) = select(put, clock.later(self.interval / 4)).await {
                return;
            }
            if clock.now() + pause >= due {
                tracing::debug!(id = %self.id, "no heartbeat could be sent in this interval");
                return;
            }
            clock.later(pause).await;
            pause *= 2;
        }
    }

    /// Whether the head names another lease, or none.
    async fn is_over(&self) -> bool {
        let key = keys::head(&self.id);
        for len in [Some(BEGINNING), None] {
            let read = std::pin::pin!(self.store.get_in_background(&key, len));
            let Either::Left((Ok(object), _)) =
                select(read, self.store.clock.later(self.interval / 4)).await
            else {
                return false;
            };
            match HeadState::read(&object.bytes, object.len) {
                Ok(HeadState::Session(head)) => return !head.has_lease(self.token),
                Ok(_) => return true,
                // Perhaps it says more than was read.
                Err(_) => (),
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_has_the_token_the_epoch_and_a_number() {
        let sent = heartbeat(Nonce::fresh(), 7, u64::MAX);
        assert!(sent.len() as u64 <= HEARTBEAT);
        assert_eq!(number(&sent), Some(u64::MAX));
        assert!(
            number(b"").is_none() && number(b"a b c").is_none() && number(&[0xff; 9]).is_none()
        );
    }
}
