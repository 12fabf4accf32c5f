//! Every file call that Pitstop makes, relative to an open directory, with its errors named.
//!
//! [`Disk`], [`RawDirectory`] and [`RawFile`] are the seam: the kernel is behind it, or a simulated
//! disk, or one that fails on purpose. [`Directory`] and [`File`] are what the rest of the library
//! sees: they add which step failed, where.

#[cfg(feature = "object-store")]
pub(crate) mod cache;
mod host;
#[cfg(feature = "object-store")]
mod machine;
mod os;
#[cfg(feature = "testing")]
pub(crate) mod site;

use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use host::current_owner;
#[cfg(feature = "object-store")]
pub(crate) use machine::{Machine, is_running};
pub(crate) use os::Os;

use crate::error::Error;
#[cfg(feature = "testing")]
use site::on_behalf;

/// Where directories are found, and what is known of the machine they are on.
pub(crate) trait Disk: Debug + Send + Sync {
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
pub(crate) trait RawDirectory: Debug + Send + Sync {
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
    fn metadata(&self, name: &OsStr) -> io::Result<Metadata>;
    /// Of a name in a directory of this one, in one call instead of three. Only for looking: a link that
    /// was just put in the place of that directory is followed.
    fn metadata_below(&self, directory: &OsStr, name: &OsStr) -> io::Result<Metadata>;
    fn own_metadata(&self) -> io::Result<Metadata>;
    fn entries(&self) -> io::Result<Vec<(OsString, Kind)>>;
    fn sync(&self) -> io::Result<()>;
    /// Whether only this machine can have its files open.
    fn is_local(&self) -> io::Result<bool>;
}

/// An open file. Reads and writes may be short.
pub(crate) trait RawFile: Debug + Send + Sync {
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
    fn metadata(&self) -> io::Result<Metadata>;
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
pub(crate) enum Access {
    Read,
    Write,
    /// Write; made (0600, or 0660 in a directory that is its group's) if it is not there.
    Create,
    /// Write; made so, and an error if it is there.
    CreateNew,
    /// The same, and its owner may execute it.
    CreateNewExecutable,
}

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Link,
    Other(&'static str),
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Link => "a link",
            Self::Other(name) => name,
        }
    }
}

/// What opening something else as a file fails with.
pub(crate) fn not_a_file(kind: Kind) -> io::Error {
    let text = format!("it is {}, where a file belongs", kind.name());
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// What is known of a file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub kind: Kind,
    pub size: u64,
    /// How many bytes of storage it takes.
    pub allocated: u64,
    pub modified: SystemTime,
    /// When anything about it last changed; nobody can set this back.
    pub changed: SystemTime,
    /// When it was made, where the file system knows.
    pub created: Option<SystemTime>,
    pub inode: u64,
    pub device: u64,
    pub mount: u64,
    pub links: u64,
    /// The user whose it is.
    pub owner: u32,
    /// Whether that user may execute it.
    pub is_executable: bool,
}

impl Metadata {
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// A file call that failed: which, on what, why.
#[derive(Debug)]
pub(crate) struct Failure {
    pub step: &'static str,
    pub place: PathBuf,
    pub source: io::Error,
}

impl Failure {
    pub(crate) fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether this file system has no such call.
    pub(crate) fn is_unsupported(&self) -> bool {
        use rustix::io::Errno;
        const NONE: [Errno; 4] = [Errno::NOTSUP, Errno::NOSYS, Errno::INVAL, Errno::NOLCK];
        self.source
            .raw_os_error()
            .is_some_and(|code| NONE.iter().any(|errno| errno.raw_os_error() == code))
    }

    /// The error of a step whose effect is visible, but may not last.
    pub(crate) fn indeterminate(self) -> Error {
        let Self { step, place, source } = self;
        Error::Indeterminate { step, place, source }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let unsupported = failure.is_unsupported();
        let Failure { step, place, source } = failure;
        if step == SYNC && unsupported {
            return Self::NotDurable { place, source };
        }
        if source.kind() == io::ErrorKind::InvalidData {
            return Self::Corrupt { place, problem: source.to_string(), newest_good: None };
        }
        Self::Storage { step, place, source }
    }
}

const SYNC: &str = "flush";

#[cfg(not(feature = "testing"))]
fn on_behalf<T>(call: impl FnOnce() -> T) -> T {
    call()
}

pub(crate) type Outcome<T> = std::result::Result<T, Failure>;

/// Makes "it is not there" a value.
pub(crate) fn found<T>(outcome: Outcome<T>) -> Outcome<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// An open directory and where it was found.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    raw: Arc<dyn RawDirectory>,
    path: PathBuf,
}

impl Directory {
    #[track_caller]
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Outcome<Self> {
        match on_behalf(|| disk.open(path)) {
            Ok(raw) => Ok(Self { raw: raw.into(), path: path.to_owned() }),
            Err(source) => Err(Failure { step: "open", place: path.to_owned(), source }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    #[track_caller]
    pub(crate) fn open_directory(&self, name: impl AsRef<OsStr>) -> Outcome<Self> {
        let name = name.as_ref();
        let raw = self.at("open", name, || self.raw.open_directory(name))?;
        Ok(Self { raw: raw.into(), path: self.path.join(name) })
    }

    /// Opens a regular file; anything else of that name is refused without blocking on it.
    #[track_caller]
    pub(crate) fn open_file(&self, name: impl AsRef<OsStr>, access: Access) -> Outcome<File> {
        let name = name.as_ref();
        let raw = self.at("open", name, || self.raw.open_file(name, access))?;
        Ok(File { raw, path: self.path.join(name) })
    }

    #[track_caller]
    pub(crate) fn make_directory(&self, name: impl AsRef<OsStr>) -> Outcome<()> {
        let name = name.as_ref();
        self.at("create", name, || self.raw.make_directory(name))
    }

    #[track_caller]
    pub(crate) fn remove_directory(&self, name: impl AsRef<OsStr>) -> Outcome<()> {
        let name = name.as_ref();
        self.at("remove", name, || self.raw.remove_directory(name))
    }

    #[track_caller]
    pub(crate) fn remove_file(&self, name: impl AsRef<OsStr>) -> Outcome<()> {
        let name = name.as_ref();
        self.at("remove", name, || self.raw.remove_file(name))
    }

    #[track_caller]
    pub(crate) fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> Outcome<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        self.at("put in place", to, || self.raw.rename(from, to))
    }

    /// Renames, and fails if there is something of the new name.
    #[track_caller]
    pub(crate) fn rename_new(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> Outcome<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        self.at("put in place", to, || self.raw.rename_new(from, to))
    }

    #[track_caller]
    pub(crate) fn link(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> Outcome<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        self.at("link", to, || self.raw.link(from, to))
    }

    #[track_caller]
    pub(crate) fn make_symlink(
        &self,
        target: impl AsRef<OsStr>,
        name: impl AsRef<OsStr>,
    ) -> Outcome<()> {
        let (target, name) = (target.as_ref(), name.as_ref());
        self.at("create", name, || self.raw.make_symlink(target, name))
    }

    #[track_caller]
    pub(crate) fn read_link(&self, name: impl AsRef<OsStr>) -> Outcome<OsString> {
        let name = name.as_ref();
        self.at("read", name, || self.raw.read_link(name))
    }

    /// What is there, links not followed; `None` if nothing is.
    #[track_caller]
    pub(crate) fn metadata(&self, name: impl AsRef<OsStr>) -> Outcome<Option<Metadata>> {
        let name = name.as_ref();
        found(self.at("look at", name, || self.raw.metadata(name)))
    }

    /// What is there in a directory of this one; `None` if nothing is.
    #[track_caller]
    pub(crate) fn metadata_below(
        &self,
        directory: &OsStr,
        name: impl AsRef<OsStr>,
    ) -> Outcome<Option<Metadata>> {
        let name = name.as_ref();
        found(self.at("look at", directory, || self.raw.metadata_below(directory, name)))
    }

    #[track_caller]
    pub(crate) fn own_metadata(&self) -> Outcome<Metadata> {
        self.here("look at", || self.raw.own_metadata())
    }

    #[track_caller]
    pub(crate) fn entries(&self) -> Outcome<Vec<(OsString, Kind)>> {
        self.here("list", || self.raw.entries())
    }

    /// Makes the names in this directory durable.
    #[track_caller]
    pub(crate) fn sync(&self) -> Outcome<()> {
        self.here(SYNC, || self.raw.sync())
    }

    #[track_caller]
    pub(crate) fn is_local(&self) -> Outcome<bool> {
        self.here("look at", || self.raw.is_local())
    }

    #[track_caller]
    fn at<T>(
        &self,
        step: &'static str,
        name: &OsStr,
        call: impl FnOnce() -> io::Result<T>,
    ) -> Outcome<T> {
        on_behalf(call).map_err(|source| Failure { step, place: self.path.join(name), source })
    }

    #[track_caller]
    fn here<T>(&self, step: &'static str, call: impl FnOnce() -> io::Result<T>) -> Outcome<T> {
        on_behalf(call).map_err(|source| Failure { step, place: self.path.clone(), source })
    }
}

/// An open regular file and where it was found.
#[derive(Debug)]
pub(crate) struct File {
    raw: Box<dyn RawFile>,
    path: PathBuf,
}

impl File {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the whole file as it is now, and no more memory than that.
    #[track_caller]
    pub(crate) fn read(&self) -> Outcome<(Vec<u8>, Metadata)> {
        self.here("read", || self.read_raw())
    }

    fn read_raw(&self) -> io::Result<(Vec<u8>, Metadata)> {
        let metadata = self.raw.metadata()?;
        let size = usize::try_from(metadata.size).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let data = self.exactly(0, size)?;
        Ok((data, metadata))
    }

    /// So many bytes from there on.
    #[track_caller]
    pub(crate) fn read_at(&self, offset: u64, len: usize) -> Outcome<Vec<u8>> {
        self.here("read", || self.exactly(offset, len))
    }

    /// That the file ends before is an error.
    fn exactly(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        data.try_reserve_exact(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        while data.len() < len {
            let at = offset + data.len() as u64;
            if self.raw.append_at(&mut data, at)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        data.truncate(len);
        Ok(data)
    }

    #[track_caller]
    pub(crate) fn write_all(&self, data: &[u8]) -> Outcome<()> {
        self.write_all_at(&[data], 0)
    }

    /// Fills a buffer from there on. That the file ends before is an error.
    #[track_caller]
    pub(crate) fn fill_at(&self, buffer: &mut [u8], offset: u64) -> Outcome<()> {
        self.here("read", || self.fill_raw(buffer, offset))
    }

    fn fill_raw(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.raw.read_at(buffer, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => {
                    offset += n as u64;
                    buffer = &mut buffer[n..];
                }
            }
        }
        Ok(())
    }

    /// Writes the parts one behind the other, in one call unless the system cuts it short.
    #[track_caller]
    pub(crate) fn write_all_at(&self, parts: &[&[u8]], offset: u64) -> Outcome<()> {
        self.here("write", || self.write_raw(parts, offset))
    }

    fn write_raw(&self, parts: &[&[u8]], mut offset: u64) -> io::Result<()> {
        let mut buffers: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut left = &mut buffers[..];
        // Empty parts go first, so that nothing is written where nothing is left.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match self.raw.write_at(left, offset)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => {
                    offset += n as u64;
                    IoSlice::advance_slices(&mut left, n);
                }
            }
        }
        Ok(())
    }

    #[track_caller]
    pub(crate) fn set_len(&self, len: u64) -> Outcome<()> {
        self.here("write", || self.raw.set_len(len))
    }

    #[track_caller]
    pub(crate) fn set_modified(&self, time: SystemTime) -> Outcome<()> {
        self.here("set the time of", || self.raw.set_modified(time))
    }

    #[track_caller]
    pub(crate) fn metadata(&self) -> Outcome<Metadata> {
        self.here("look at", || self.raw.metadata())
    }

    /// Makes the content and the length of this file durable, but not its name.
    #[track_caller]
    pub(crate) fn sync(&self) -> Outcome<()> {
        self.here(SYNC, || self.raw.sync())
    }

    /// Makes the content durable. Cheaper than [`sync`](Self::sync) where the length stays.
    #[track_caller]
    pub(crate) fn sync_data(&self) -> Outcome<()> {
        self.here(SYNC, || self.raw.sync_data())
    }

    #[track_caller]
    pub(crate) fn try_lock(&self) -> Outcome<bool> {
        self.here("lock", || self.raw.try_lock())
    }

    #[track_caller]
    pub(crate) fn unlock(&self) -> Outcome<()> {
        self.here("unlock", || self.raw.unlock())
    }

    #[track_caller]
    pub(crate) fn is_locked(&self) -> Outcome<bool> {
        self.here("lock", || self.raw.is_locked())
    }

    #[track_caller]
    fn here<T>(&self, step: &'static str, call: impl FnOnce() -> io::Result<T>) -> Outcome<T> {
        on_behalf(call).map_err(|source| Failure { step, place: self.path.clone(), source })
    }
}
