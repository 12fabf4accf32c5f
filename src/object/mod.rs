//! A repository in an object store: sessions that outlive the machine. docs/object-store.md has the layout
//! and the reasons.

mod cache;
mod cached_summary;
mod discard;
mod format;
mod last;
mod lease;
mod list;
mod read;
mod remove;
mod requests;
mod restore;
mod sweep;
mod trash;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore;

use crate::backend::{
    Backend, BackendWriter, Finding, Format, GivenUp, History, Kept, Listing, Maintenance,
    NewSession, Removal, Status, Sweep, Trashed, Unlocked, Usage,
};
use crate::checkpoint::{Checkpoint, CheckpointInfo};
use crate::error::{Error, Operation, Result, Subject};
use crate::id::SessionId;
use crate::revision::{At, Revision};
use crate::stream::{Buffer, CheckpointReader, copy_into};
use crate::sys::{self, Machine};
use cached_summary::CachedSummary;
use format::head::Head;
use format::{head, keys};
use lease::{HolderState, Lease};
use remove::HeadState;
use requests::cas::{CasOutcome, Expected};
use requests::client::{RetryBudget, Store, Version};
#[cfg(feature = "seam")]
pub use requests::clock::Clock;
pub use requests::interrupt::interruptible;
pub use requests::problem::StoreProblem;
use requests::{location, probe};
use write::ObjectWriter;

/// A repository in an object store: Amazon S3 and what speaks like it, Google Cloud Storage, Azure Blob
/// Storage.
///
/// Each session is one small object, its head, which is changed on the condition that nobody else did; what
/// does not fit into that lies in objects that never change. Credentials and endpoints come from the
/// environment, as the [`object_store`] crate reads it: `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT` and so on.
///
/// # Calls from async code
/// All calls block; requests run on a thread of their own. Inside an async runtime that neither panics nor
/// deadlocks, but the calling thread waits: use `spawn_blocking` or its like.
#[derive(Clone, Debug)]
pub struct ObjectBackend {
    inner: Arc<Inner>,
}

/// What the backend and its writers share.
#[derive(Clone, Debug)]
struct Inner {
    store: Arc<Store>,
    beat: Duration,
    machine: Machine,
    /// Where what was seen of sessions is kept for the next listing.
    cache: Option<PathBuf>,
    is_probed: Arc<Mutex<bool>>,
}

impl ObjectBackend {
    /// The repository at a URL: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, or
    /// `memory://name`, which is in the memory of this process. Nothing is asked of the store yet. Its
    /// [cache](Self::with_cache) is in `$XDG_CACHE_HOME/pitstop`, or `~/.cache/pitstop`.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] if it is no such URL, or if the environment says contradictory things
    /// of it.
    pub fn open(url: &str) -> Result<Self> {
        let backend = Self::with(location::open(url)?);
        match sys::cache::directory() {
            // Its versions have numbers that come again in the next process.
            Some(directory) if !url.starts_with("memory:") => Ok(backend.with_cache(directory)),
            _ => Ok(backend),
        }
    }

    /// The repository in a store that was made in another way. `location` is what it is called.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] if the prefix has characters that no key may have.
    ///
    /// The store's own retries are to be off: one that meets what it did itself calls that a conflict. It is to
    /// give up a request that is not answered. What may be tried again is, for as long as `budget` says.
    pub fn with_store(
        location: impl Into<PathBuf>,
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        budget: Duration,
    ) -> Result<Self> {
        let prefix = prefix.trim_matches('/').to_owned();
        let budget =
            RetryBudget { connect: budget.min(RetryBudget::default().connect), retry: budget };
        let connect = move || Ok((store.clone(), budget));
        let store = Store::new(location.into(), prefix, Arc::new(connect))?;
        store.path(keys::MARKER)?;
        Ok(Self::with(store))
    }

    fn with(store: Store) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: Arc::new(store),
                beat: lease::BEAT,
                machine: Machine::current(),
                cache: None,
                is_probed: Arc::default(),
            }),
        }
    }

    /// Its writers show that they live this often: every 20 seconds, unless this says otherwise. One that
    /// is silent for three times as long can lose its place.
    pub fn with_heartbeat(self, beat: Duration) -> Self {
        Self { inner: Arc::new(Inner { beat, ..Inner::clone(&self.inner) }) }
    }

    /// Keeps in this directory what [a listing in full](crate::ListOptions::in_full) saw of sessions, so that
    /// the next one asks only for those that changed: times, sizes, labels and writers, no checkpoints. It may be
    /// deleted at any time. Without one, nothing is kept.
    pub fn with_cache(self, directory: impl Into<PathBuf>) -> Self {
        let cache = Some(directory.into());
        Self { inner: Arc::new(Inner { cache, ..Inner::clone(&self.inner) }) }
    }

    /// Goes by another clock.
    #[cfg(feature = "seam")]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        let store = Arc::new(self.inner.store.with_clock(clock));
        Self { inner: Arc::new(Inner { store, ..Inner::clone(&self.inner) }) }
    }

    /// As if this were another machine.
    #[cfg(feature = "seam")]
    pub fn on_machine(self, name: &str) -> Self {
        let machine = Machine::called(name);
        Self { inner: Arc::new(Inner { machine, ..Inner::clone(&self.inner) }) }
    }
}

impl Inner {
    /// Sees to it that the store honours conditions, before the first change.
    fn probe(&self) -> Result<()> {
        // Who comes meanwhile waits for it.
        let mut is_probed = self.is_probed.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_probed {
            probe::probe(&self.store)?;
            *is_probed = true;
        }
        Ok(())
    }

    /// The head of a session in which nobody has the place of the writer, or only one that is gone. Where
    /// that cannot be seen, it watches.
    fn unleased_head(&self, id: &SessionId) -> Result<(Head, Version)> {
        self.probe()?;
        loop {
            let (head, version) = self.head(id)?;
            let Some(place) = &head.writer else { return Ok((head, version)) };
            let is_free = match place.holder_state(&self.machine) {
                HolderState::Alive => false,
                HolderState::Dead => true,
                HolderState::Unknown if place.is_silent(&self.store, id, &version)? => true,
                HolderState::Unknown => match self.head(id)?.0.has_writer(place.token) {
                    true => false,
                    // Another one, or nobody: look again.
                    false => continue,
                },
            };
            return match is_free {
                true => Ok((head, version)),
                false => Err(self.busy(id, place)),
            };
        }
    }

    fn new_lease(&self) -> Lease {
        Lease::new(sys::current_owner(), self.machine.clone(), self.beat)
    }

    fn busy(&self, id: &SessionId, place: &Lease) -> Error {
        Error::Busy { id: id.clone(), owner: Some(Box::new(place.owner.clone())) }
    }

    fn not_found(&self, id: &SessionId) -> Error {
        Error::NotFound { id: id.clone(), repository: self.store.location().to_owned() }
    }

    /// [`Store::compare_and_put`] of a head, of the same life of the session.
    fn compare_and_put(
        &self,
        id: &SessionId,
        expected: &Expected,
        bytes: &Bytes,
        is_from_ours: impl Fn(&Head) -> bool,
    ) -> Result<CasOutcome> {
        self.store.compare_and_put(&keys::head(id), expected, bytes, |object| {
            matches!(Head::read(&object.bytes, object.len), Ok(Some(head)) if is_from_ours(&head))
        })
    }
}

impl Backend for ObjectBackend {
    fn location(&self) -> &Path {
        self.inner.store.location()
    }

    fn create(&self, id: &SessionId, new: &NewSession) -> Result<()> {
        if new.format.is_some_and(|format| format != Format::Object) {
            let (format, store) =
                (new.format.unwrap_or(Format::Object), self.location().to_owned());
            return Err(Error::Unsupported {
                operation: Operation::Format(format),
                subject: Subject::Store(store),
            });
        }
        self.inner.probe()?;
        let head = Head::new(new);
        let (bytes, mut expected) = (head.to_bytes(), Expected::Nothing);
        loop {
            match self.inner.compare_and_put(id, &expected, &bytes, |there| {
                there.incarnation == head.incarnation
            })? {
                CasOutcome::Applied(_) | CasOutcome::Superseded => return Ok(()),
                CasOutcome::Rejected(None) => expected = Expected::Nothing,
                CasOutcome::Rejected(Some(there)) => match HeadState::read(&there) {
                    Ok(HeadState::Tombstone(tombstone)) => {
                        self.inner.settle(id, &tombstone)?;
                        expected = Expected::Version(there.version);
                    }
                    _ => {
                        let repository = self.location().to_owned();
                        return Err(Error::AlreadyExists { id: id.clone(), repository });
                    }
                },
            }
        }
    }

    fn list(&self) -> Result<Listing> {
        list::list(&self.inner.store)
    }

    fn list_in_full(&self) -> Result<Listing> {
        list::list_in_full(&self.inner)
    }

    fn status(&self, id: &SessionId) -> Result<Status> {
        let (head, _) = self.inner.start_of_head(id)?;
        let seen = CachedSummary::of(&head);
        let writer = seen.writer_state(&self.inner.machine);
        let summary = seen.summary(id, writer.program());
        Ok(Status { summary, created: Some(head.created.into()), writer })
    }

    fn load(&self, id: &SessionId, at: At) -> Result<Checkpoint> {
        match at {
            At::Newest => self.inner.load(id),
            At::Revision(revision) => self.inner.load_revision(id, revision),
        }
    }

    fn load_into(&self, id: &SessionId, at: At, buffer: &mut dyn Buffer) -> Result<CheckpointInfo> {
        let Checkpoint { info, data } = self.load(id, at)?;
        copy_into(buffer, &data)?;
        Ok(info)
    }

    fn open(&self, id: &SessionId, at: At) -> Result<CheckpointReader> {
        self.inner.open_checkpoint(id, at.revision())
    }

    fn history(&self, id: &SessionId) -> Result<History> {
        let (revisions, damaged) = self.inner.history(id)?;
        let kept = |entry: head::RevisionEntry| Kept { info: entry.info(), stored: entry.size };
        let revisions = revisions.into_iter().map(kept).collect();
        Ok(History { revisions, damaged, may_lack_newer: false })
    }

    fn writer(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>> {
        Ok(Box::new(ObjectWriter::acquire(&self.inner, id)?))
    }

    fn writer_for_one_save(&self, id: &SessionId) -> Result<Box<dyn BackendWriter>> {
        Ok(Box::new(ObjectWriter::for_one_save(&self.inner, id)?))
    }

    fn remove(&self, id: &SessionId) -> Result<Removal> {
        self.inner.remove(id)
    }

    fn last(&self) -> Result<Option<SessionId>> {
        let Some(id) = last::last(&self.inner.store)? else { return Ok(None) };
        match self.inner.start_of_head(&id) {
            Err(Error::NotFound { .. }) => Ok(None),
            Err(Error::Corrupt { .. }) | Ok(_) => Ok(Some(id)),
            Err(error) => Err(error),
        }
    }

    fn set_last(&self, id: &SessionId) -> Result<()> {
        self.inner.probe()?;
        self.inner.start_of_head(id)?;
        last::set_last(&self.inner.store, id)
    }

    fn maintenance(&self) -> Option<&dyn Maintenance> {
        Some(self)
    }
}

impl Maintenance for ObjectBackend {
    fn unlock(&self, id: &SessionId) -> Result<Unlocked> {
        self.inner.unlock(id)
    }

    fn usage(&self, id: &SessionId) -> Result<Usage> {
        self.inner.usage(id)
    }

    fn trash(&self, id: &SessionId) -> Result<Trashed> {
        self.inner.trash(id)
    }

    fn trashed(&self) -> Result<Vec<Trashed>> {
        self.inner.trashed()
    }

    fn restore_trashed(&self, trashed: &Trashed, id: &SessionId) -> Result<()> {
        self.inner.restore_trashed(trashed, id)
    }

    fn delete_trashed(&self, trashed: &Trashed) -> Result<Removal> {
        self.inner.delete_trashed(trashed)
    }

    fn sweep(&self, dry_run: bool) -> Result<Sweep> {
        self.inner.sweep(dry_run)
    }

    fn discard_before(&self, id: &SessionId, before: Revision, dry_run: bool) -> Result<GivenUp> {
        let before = before.number().unwrap_or(0);
        match dry_run {
            true => discard::would_discard(&self.inner, id, before),
            false => discard::discard(&self.inner, id, before),
        }
    }

    fn verify_layout(&self) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    fn repair_layout(&self, _: Option<&SessionId>) -> Result<()> {
        Ok(())
    }
}
