//! A disk in memory that a power cut can hit at any moment.
//!
//! It is as weak as POSIX allows. The sectors of a file, its size and each name in a directory are on
//! stable storage only after a sync of that file or that directory (the name of a new directory: of
//! the one above it). Until then any of them may survive a power cut without the others, in any
//! order. A rename is one operation on two names. The numbers of deleted files are used again at
//! once, and time stands still between two steps unless it is told to move.

mod handles;
mod image;
mod setup;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;

use image::{Content, Key, Node, Nodes};
pub(crate) use image::{Survivors, Tear};
use pitstop::Repository;
use pitstop::seam::open_on;

const ROOT: Key = 0;

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    nodes: Nodes,
    clock: SystemTime,
    boot: SystemTime,
    /// Counts the processes that used the disk one after the other; handles of older ones are dead.
    process: u64,
    handles: u64,
    /// How many handles have a node open.
    open: BTreeMap<Key, usize>,
    /// The handle that holds the kernel lock of a file.
    locks: BTreeMap<Key, u64>,
    traits: Traits,
    quirks: Vec<Quirk>,
    history: Option<Vec<Moment>>,
    mark: usize,
    /// Whether the number of a file that was deleted is another's soon.
    reuses_inodes: bool,
    /// All that was opened or looked at.
    touched: BTreeSet<Key>,
}

/// What a file system may have, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traits {
    /// Files can have a second name.
    pub hard_links: bool,
    /// Only this machine uses it.
    pub is_local: bool,
    /// It can be told which files are open.
    pub open_files_are_known: bool,
}

impl Traits {
    pub(crate) const ALL: Self =
        Self { hard_links: true, is_local: true, open_files_are_known: true };
}

/// What the next call does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quirk {
    /// A sync fails, and what it should have made durable no later one does.
    LoseSync,
    /// A link is followed where it should be refused or reported.
    FollowLink,
    /// Just before it looks, somebody puts a link there that leads to this directory or, in place of
    /// a file, to the file `file` in it.
    LayLink(&'static str),
}

/// The disk after one of its changes.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    nodes: Nodes,
    clock: SystemTime,
    boot: SystemTime,
    locks: BTreeMap<Key, u64>,
    traits: Traits,
    /// What [`SimulatedDisk::mark`] was told last.
    pub mark: usize,
}

impl Moment {
    /// How many changes may or may not survive.
    pub(crate) fn undecided(&self) -> usize {
        self.nodes.iter().map(Node::undecided).sum()
    }

    /// The disk after a power cut and a boot.
    pub(crate) fn after_crash(&self, survivors: Survivors) -> SimulatedDisk {
        self.after_crash_with(Tear::Sectors, survivors)
    }

    /// The same, where writes that were under way are torn in this way.
    pub(crate) fn after_crash_with(&self, tear: Tear, survivors: Survivors) -> SimulatedDisk {
        let boot = self.clock + Duration::from_secs(5);
        self.disk(image::after_crash(&self.nodes, survivors, tear), boot, boot)
    }

    /// The disk after every process on the machine was killed.
    pub(crate) fn after_kill(&self) -> SimulatedDisk {
        self.disk(self.nodes.clone(), self.clock, self.boot)
    }

    /// The disk as somebody finds it who comes while the program that made it lives on.
    pub(crate) fn under_reader(&self) -> SimulatedDisk {
        let disk = self.after_kill();
        let mut state = disk.state();
        // The handles of the one are none of the other's.
        state.handles = 1 << 32;
        state.locks = self.locks.clone();
        drop(state);
        disk
    }

    fn disk(&self, nodes: Nodes, clock: SystemTime, boot: SystemTime) -> SimulatedDisk {
        let disk = SimulatedDisk::of(nodes, clock, boot);
        disk.set_traits(self.traits);
        disk
    }
}

impl Default for SimulatedDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimulatedDisk {
    /// An empty disk, with a root directory.
    pub fn new() -> Self {
        let boot = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let mut root = Node::new(Content::directory(), ROOT, 2, boot);
        root.links = 1;
        Self::of(Nodes::of(root), boot + Duration::from_secs(100), boot)
    }

    fn of(nodes: Nodes, clock: SystemTime, boot: SystemTime) -> Self {
        let state = State {
            nodes,
            clock,
            boot,
            process: 0,
            handles: 0,
            open: BTreeMap::new(),
            locks: BTreeMap::new(),
            traits: Traits::ALL,
            quirks: Vec::new(),
            history: None,
            mark: 0,
            reuses_inodes: true,
            touched: BTreeSet::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The repository in this directory of the disk, by an absolute path.
    ///
    /// # Errors
    /// Those of [`Repository::open`].
    pub fn repository(&self, path: impl AsRef<Path>) -> pitstop::Result<Repository> {
        let disk = Arc::new(self.clone());
        Ok(Repository::with_backend(open_on(disk, path.as_ref())?)
            .with_format(pitstop::Format::Plain))
    }

    /// Makes all that is on it durable.
    pub fn sync_all(&self) {
        self.state().nodes.sync_all();
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.state().clock += time;
    }

    /// Ends every process that uses the disk. What they still do with their handles is lost.
    pub fn kill(&self) {
        let mut state = self.state();
        state.process += 1;
        state.open.clear();
        state.locks.clear();
    }

    /// Whether it can be told which files are open.
    pub fn set_open_files_are_known(&self, known: bool) {
        self.state().traits.open_files_are_known = known;
    }

    /// Whether files can have a second name.
    pub fn set_hard_links(&self, supported: bool) {
        self.state().traits.hard_links = supported;
    }

    /// Whether only this machine uses it.
    pub fn set_local(&self, is_local: bool) {
        self.state().traits.is_local = is_local;
    }

    pub(crate) fn set_traits(&self, traits: Traits) {
        self.state().traits = traits;
    }

    pub(crate) fn set_quirk(&self, quirk: Quirk) {
        self.state().quirks.push(quirk);
    }

    /// Gives no number of a deleted file to another from now on, as if somebody had them all open.
    pub(crate) fn keep_inodes(&self) {
        self.state().reuses_inodes = false;
    }

    /// Keeps every moment from now on.
    pub(crate) fn record(&self) {
        let mut state = self.state();
        state.history = Some(Vec::new());
        state.remember();
    }

    /// Says what is promised from now on.
    pub(crate) fn mark(&self, mark: usize) {
        let mut state = self.state();
        state.mark = mark;
        state.remember();
    }

    pub(crate) fn take_history(&self) -> Vec<Moment> {
        self.state().history.take().unwrap_or_default()
    }

    /// Shows what another program has made of it meanwhile, to those who have something open, too.
    pub(crate) fn show(&self, moment: &Moment) {
        let mut state = self.state();
        state.nodes = moment.nodes.clone();
        state.locks = moment.locks.clone();
        state.clock = moment.clock;
    }

    pub(crate) fn now(&self) -> Moment {
        self.state().moment()
    }

    /// A number for all that is on it.
    pub(crate) fn digest(&self) -> u64 {
        image::digest(&self.state().nodes, ROOT, None)
    }

    /// A number for all that is on it outside this directory.
    pub(crate) fn digest_without(&self, path: &Path) -> u64 {
        let state = self.state();
        let without = state.find(path).ok();
        image::digest(&state.nodes, ROOT, without)
    }

    /// A number for all that is in this directory.
    pub(crate) fn digest_below(&self, path: &Path) -> u64 {
        let state = self.state();
        state.find(path).map_or(0, |key| image::digest(&state.nodes, key, None))
    }

    /// Whether this, or anything below it, was ever opened or looked at.
    pub(crate) fn was_touched(&self, path: &Path) -> bool {
        let state = self.state();
        let Ok(key) = state.find(path) else { return false };
        state.touched.iter().any(|touched| {
            let mut at = *touched;
            while at != key && at != ROOT {
                at = state.nodes[at].parent;
            }
            at == key
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn split(path: &Path) -> (&Path, &OsStr) {
    (path.parent().unwrap_or(path), path.file_name().unwrap_or_default())
}

fn error(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.raw_os_error())
}
