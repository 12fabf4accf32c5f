//! What a disk can do: the kernel's calls, and what else takes its place in tests.

#![allow(missing_docs, unreachable_pub)] // Public only with the feature `seam`.

use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::ops::Deref;
use std::path::Path;
use std::time::SystemTime;

use crate::error::Damage;
pub use crate::error::FileKind as Kind;

/// Where directories are found, and what is known of the machine they are on.
pub trait Disk: Debug + Send + Sync {
    /// Opens a directory by its path, which may lead through links.
    fn open(&self, path: &Path) -> io::Result<Box<dyn RawDirectory>>;
    /// The time, by the clock that stamps files.
    fn now(&self) -> SystemTime;
    /// When this machine started.
    fn boot_time(&self) -> io::Result<SystemTime>;
    /// Whether a process has this file open; `None` if that cannot be told.
    fn is_open_anywhere(&self, file: &Metadata) -> Option<bool>;
}

/// An open directory. Names are single components; no call follows a link.
pub trait RawDirectory: Debug + Send + Sync {
    fn open_directory(&self, name: &OsStr) -> io::Result<Box<dyn RawDirectory>>;
    fn open_file(&self, name: &OsStr, access: Access) -> io::Result<Box<dyn RawFile>>;
    /// Makes a directory, 0700 whatever the umask; 2770 in one that is its group's.
    fn make_directory(&self, name: &OsStr) -> io::Result<()>;
    fn remove_directory(&self, name: &OsStr) -> io::Result<()>;
    fn remove_file(&self, name: &OsStr) -> io::Result<()>;
    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()>;
    /// Renames, and fails if there is something of the new name.
    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()>;
    fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()>;
    fn make_symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()>;
    fn read_link(&self, name: &OsStr) -> io::Result<OsString>;
    fn metadata(&self, name: &OsStr, ask: Ask) -> io::Result<Dated>;
    /// Of a name in a directory of this one, in one call instead of three. Only for looking: a link that
    /// was just put in the place of that directory is followed.
    fn metadata_below(&self, directory: &OsStr, name: &OsStr, ask: Ask) -> io::Result<Dated>;
    fn own_metadata(&self, ask: Ask) -> io::Result<Dated>;
    fn entries(&self) -> io::Result<Vec<(OsString, Kind)>>;
    fn sync(&self) -> io::Result<()>;
    /// Whether only this machine can have its files open.
    fn is_local(&self) -> io::Result<bool>;
}

/// An open file. Reads and writes may be short.
pub trait RawFile: Debug + Send + Sync {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Appends to `data` as much as it has memory for. A disk may do so without zeroing that first.
    fn append_at(&self, data: &mut Vec<u8>, offset: u64) -> io::Result<usize> {
        let len = data.len();
        data.resize(data.capacity(), 0);
        let read = self.read_at(&mut data[len..], offset);
        data.truncate(len + read.as_ref().unwrap_or(&0));
        read
    }
    /// Writes the buffers one behind the other.
    fn write_at(&self, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Sets the time of its last change.
    fn set_modified(&self, time: SystemTime) -> io::Result<()>;
    fn metadata(&self, ask: Ask) -> io::Result<Dated>;
    fn sync(&self) -> io::Result<()>;
    /// Flushes the content, and of the rest only what is needed to read it.
    fn sync_data(&self) -> io::Result<()>;
    /// Takes the kernel lock that ends with this open file; `false` if another has it.
    fn try_lock(&self) -> io::Result<bool>;
    /// Gives the kernel lock back, also for processes that share this open file.
    fn unlock(&self) -> io::Result<()>;
    /// Whether another open file holds the kernel lock. Takes nothing.
    fn is_locked(&self) -> io::Result<bool>;
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    /// Write; made (0600, or 0660 in a directory that is its group's) if it is not there.
    Create,
    /// Write; made so, and an error if it is there.
    CreateNew,
    /// The same, and its owner may execute it.
    CreateNewExecutable,
}

/// What opening something else as a file fails with.
pub fn not_a_file(kind: Kind) -> io::Error {
    let damage = Damage::WrongKind { found: kind, expected: Kind::File };
    io::Error::new(io::ErrorKind::InvalidData, damage)
}

/// How much a call asks about a file; each includes those before it.
///
/// The times of a segment and of the writer's file are never asked for. A kernel with multigrain timestamps
/// gives a file whose times somebody saw a new time at its next write, and the flush behind that write then
/// commits the journal of the file system, which makes a save half as slow again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    Identity,
    Metadata,
    Times,
}

/// Which file or directory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub inode: u64,
    pub device: u64,
    /// How many names it has.
    pub links: u64,
}

impl Identity {
    pub fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// What is known of a file or directory, but its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub identity: Identity,
    pub kind: Kind,
    pub size: u64,
    /// How many bytes of storage it takes.
    pub allocated: u64,
    pub mount: u64,
    /// The user whose it is.
    pub owner: u32,
    /// Whether that user may execute it.
    pub is_executable: bool,
}

impl Deref for Metadata {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

/// The same, with its times where they were [asked](Ask) for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    pub metadata: Metadata,
    pub modified: SystemTime,
    /// When anything about it last changed; nobody can set this back.
    pub changed: SystemTime,
    /// When it was made, where the file system knows.
    pub created: Option<SystemTime>,
}

impl Deref for Dated {
    type Target = Metadata;

    fn deref(&self) -> &Metadata {
        &self.metadata
    }
}
