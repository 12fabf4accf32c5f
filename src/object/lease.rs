//! The place of the one writer: who has it, and whether that one lives.
//!
//! No kernel lock reaches over a network, so this rests on three things. A place is taken and given back by
//! changing the head, which only one can do. A writer shows that it lives by changing a small object from
//! time to time. And whoever wants the place of a writer that it cannot see watches that object, by its own
//! monotonic clock, for as long as a living writer never lets pass. No two clocks are compared.
//!
//! What nobody can exclude is a writer that stood still for so long and goes on. Its next save finds the
//! head changed and gets a conflict. docs/object-store.md has the whole argument.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::format::keys;
use super::format::nonce::Nonce;
use super::requests::client::{Store, Version};
use super::requests::{cas, runtime};
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::owner::Owner;
use crate::sys::{self, Machine};

/// How often a writer shows that it lives.
pub(super) const BEAT: Duration = Duration::from_secs(20);

/// So many times the time between two beats, a writer that lives never lets pass.
const MISSED: u32 = 3;

/// How often to look, within the time between two beats.
const LOOKS: u32 = 4;

/// A writer, as it is noted in the head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) token: Nonce,
    pub(super) owner: Owner,
    machine: Machine,
    /// How often it shows that it lives, in milliseconds.
    beat: u64,
}

/// What can be told at once of the writer that has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HolderState {
    /// It is a process of this machine, and runs.
    Alive,
    /// It was a process of this machine, and is gone.
    Dead,
    /// It is elsewhere.
    Unknown,
}

impl Lease {
    pub(super) fn new(owner: Owner, machine: Machine, beat: Duration) -> Self {
        Self { token: Nonce::fresh(), owner, machine, beat: beat.as_millis() as u64 }
    }

    pub(super) fn holder_state(&self, here: &Machine) -> HolderState {
        if self.machine.is_same_system(here) {
            let lives = match self.owner.pid == std::process::id() {
                // This process knows its writers.
                true => held().contains(&self.token),
                false => sys::is_running(self.owner.pid, self.owner.start_time),
            };
            return if lives { HolderState::Alive } else { HolderState::Dead };
        }
        match self.machine.was_restarted(here) {
            true => HolderState::Dead,
            false => HolderState::Unknown,
        }
    }

    /// Watches a writer that is elsewhere, until it shows that it lives or was silent for too long.
    /// Returns whether it was silent.
    pub(super) fn is_silent(&self, store: &Store, id: &SessionId, head: &Version) -> Result<bool> {
        let beat = Duration::from_millis(self.beat);
        let version = |key: &str| Ok::<_, Error>(store.get_start(key, 1)?.map(|it| it.version));
        let (head_key, beat_key) = (keys::head(id), keys::beat(id));
        let is_head = |now: &Option<Version>| now.as_ref().is_some_and(|it| cas::is_same(it, head));
        let first = version(&beat_key)?;
        let start = store.clock.now();
        loop {
            store.clock.sleep(beat / LOOKS);
            // The time counts from the first answer to when the last look was begun.
            let watched = store.clock.now() - start;
            let unchanged = version(&beat_key)? == first && is_head(&version(&head_key)?);
            if !unchanged {
                return Ok(false);
            }
            if watched >= beat * MISSED {
                return Ok(true);
            }
        }
    }
}

/// A place that this process has: it shows that it lives until this is dropped.
#[derive(Debug)]
pub(super) struct LeaseGuard {
    token: Nonce,
    beats: Option<JoinHandle<()>>,
}

impl LeaseGuard {
    pub(super) fn new(place: &Lease, store: &Arc<Store>, id: &SessionId) -> Self {
        held().insert(place.token);
        let beats = beats(place.token, Duration::from_millis(place.beat), store.clone(), id);
        let beats = runtime::handle().ok().map(|runtime| runtime.spawn(beats));
        Self { token: place.token, beats }
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        held().remove(&self.token);
        if let Some(beats) = &self.beats {
            beats.abort();
        }
    }
}

/// The tokens of the places that this process has.
fn held() -> MutexGuard<'static, HashSet<Nonce>> {
    static HELD: LazyLock<Mutex<HashSet<Nonce>>> = LazyLock::new(Mutex::default);
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first one comes late: a writer that is soon done costs nothing.
fn beats(
    token: Nonce,
    beat: Duration,
    store: Arc<Store>,
    id: &SessionId,
) -> impl Future<Output = ()> + use<> {
    let key = keys::beat(id);
    async move {
        for number in 1_u64.. {
            store.clock.later(beat).await;
            let (Ok(connection), Ok(path)) = (store.connection(), store.path(&key)) else { return };
            let bytes = Bytes::from(format!("{token} {number}\n"));
            let put = std::pin::pin!(connection.put(&path, bytes.into()));
            match select(put, store.clock.later(beat)).await {
                Either::Left((Ok(_), _)) => (),
                _ => tracing::debug!(key, "a sign of life could not be given"),
            }
        }
    }
}
