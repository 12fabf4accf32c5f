//! A disk that asks before each call what shall become of it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, IoSlice};
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use pitstop::Owner;
use pitstop::seam::{Access, Ask, Dated, Disk, Kind, Metadata, RawDirectory, RawFile, site};

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub operation: Operation,
    /// The entry of the directory that it is about.
    pub name: Option<&'a OsStr>,
    /// How many bytes it is to read or write.
    pub len: usize,
    pub site: Site,
}

/// The line of the library that makes a call; none for what is asked of the disk as a whole.
pub(crate) type Site = Option<&'static Location<'static>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operation {
    Open,
    BootTime,
    OpenDirectory,
    OpenFile,
    /// Opening a file that is made if it is not there.
    CreateFile,
    MakeDirectory,
    RemoveDirectory,
    RemoveFile,
    Rename,
    Link,
    MakeSymlink,
    ReadLink,
    Metadata,
    OwnMetadata,
    Entries,
    SyncDirectory,
    IsLocal,
    Boot,
    Read,
    Write,
    Extent,
    SetLen,
    SetModified,
    FileMetadata,
    SyncFile,
    TryLock,
    Unlock,
    IsLocked,
}

impl Operation {
    pub(crate) const ALL: [Self; 27] = [
        Self::Open,
        Self::BootTime,
        Self::OpenDirectory,
        Self::OpenFile,
        Self::CreateFile,
        Self::MakeDirectory,
        Self::RemoveDirectory,
        Self::RemoveFile,
        Self::Rename,
        Self::Link,
        Self::MakeSymlink,
        Self::ReadLink,
        Self::Metadata,
        Self::OwnMetadata,
        Self::Entries,
        Self::SyncDirectory,
        Self::IsLocal,
        Self::Read,
        Self::Extent,
        Self::Write,
        Self::SetLen,
        Self::SetModified,
        Self::FileMetadata,
        Self::SyncFile,
        Self::TryLock,
        Self::Unlock,
        Self::IsLocked,
    ];
}

/// What becomes of a call.
#[derive(Debug)]
pub(crate) enum Action {
    Pass,
    Fail(io::Error),
    /// It says that it did what it did not, where it has nothing else to say.
    Skip,
    /// It reads or writes no more than so many bytes.
    Part(usize),
    /// It reads or writes nothing.
    Nothing,
}

type Decide = Arc<dyn Fn(&Call) -> Action + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Hook(Decide);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// A disk with a hook in every call.
#[derive(Debug)]
pub(crate) struct HookedDisk {
    inner: Arc<dyn Disk>,
    hook: Hook,
}

impl HookedDisk {
    pub(crate) fn new(
        inner: Arc<dyn Disk>,
        decide: impl Fn(&Call) -> Action + Send + Sync + 'static,
    ) -> Self {
        Self { inner, hook: Hook(Arc::new(decide)) }
    }
}

impl Hook {
    fn ask(&self, operation: Operation, name: Option<&OsStr>) -> Action {
        self.ask_of(operation, name, 0)
    }

    fn ask_of(&self, operation: Operation, name: Option<&OsStr>, len: usize) -> Action {
        (self.0)(&Call { operation, name, len, site: site::current() })
    }

    fn value<T>(
        &self,
        operation: Operation,
        name: Option<&OsStr>,
        call: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match self.ask(operation, name) {
            Action::Fail(error) => Err(error),
            _ => call(),
        }
    }

    fn unit(
        &self,
        operation: Operation,
        name: Option<&OsStr>,
        call: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        match self.ask(operation, name) {
            Action::Fail(error) => Err(error),
            Action::Skip => Ok(()),
            _ => call(),
        }
    }

    fn directory(&self, inner: Box<dyn RawDirectory>) -> Box<dyn RawDirectory> {
        Box::new(HookedDirectory { inner, hook: self.clone() })
    }
}

impl Disk for HookedDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn RawDirectory>> {
        let inner = self.hook.value(Operation::Open, None, || self.inner.open(path))?;
        Ok(self.hook.directory(inner))
    }

    fn now(&self) -> SystemTime {
        self.inner.now()
    }

    fn boot_time(&self) -> io::Result<SystemTime> {
        self.hook.value(Operation::BootTime, None, || self.inner.boot_time())
    }

    fn sees(&self, owner: &Owner) -> bool {
        self.inner.sees(owner)
    }

    fn is_open_anywhere(&self, file: &Metadata) -> Option<bool> {
        self.inner.is_open_anywhere(file)
    }
}

#[derive(Debug)]
struct HookedDirectory {
    inner: Box<dyn RawDirectory>,
    hook: Hook,
}

impl RawDirectory for HookedDirectory {
    fn open_directory(&self, name: &OsStr) -> io::Result<Box<dyn RawDirectory>> {
        let open = || self.inner.open_directory(name);
        let inner = self.hook.value(Operation::OpenDirectory, Some(name), open)?;
        Ok(self.hook.directory(inner))
    }

    fn open_file(&self, name: &OsStr, access: Access) -> io::Result<Box<dyn RawFile>> {
        let operation = match access {
            Access::Read | Access::Write => Operation::OpenFile,
            Access::Create | Access::CreateNew | Access::CreateNewExecutable => {
                Operation::CreateFile
            }
        };
        let open = || self.inner.open_file(name, access);
        let inner = self.hook.value(operation, Some(name), open)?;
        Ok(Box::new(HookedFile { inner, hook: self.hook.clone() }))
    }

    fn make_directory(&self, name: &OsStr) -> io::Result<()> {
        let make = || self.inner.make_directory(name);
        self.hook.unit(Operation::MakeDirectory, Some(name), make)
    }

    fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        let remove = || self.inner.remove_directory(name);
        self.hook.unit(Operation::RemoveDirectory, Some(name), remove)
    }

    fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        self.hook.unit(Operation::RemoveFile, Some(name), || self.inner.remove_file(name))
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.hook.unit(Operation::Rename, Some(from), || self.inner.rename(from, to))
    }

    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.hook.unit(Operation::Rename, Some(from), || self.inner.rename_new(from, to))
    }

    fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.hook.unit(Operation::Link, Some(from), || self.inner.link(from, to))
    }

    fn make_symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()> {
        let make = || self.inner.make_symlink(target, name);
        self.hook.unit(Operation::MakeSymlink, Some(name), make)
    }

    fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        self.hook.value(Operation::ReadLink, Some(name), || self.inner.read_link(name))
    }

    fn metadata(&self, name: &OsStr, ask: Ask) -> io::Result<Dated> {
        self.hook.value(Operation::Metadata, Some(name), || self.inner.metadata(name, ask))
    }

    fn metadata_below(&self, directory: &OsStr, name: &OsStr, ask: Ask) -> io::Result<Dated> {
        let look = || self.inner.metadata_below(directory, name, ask);
        self.hook.value(Operation::Metadata, Some(directory), look)
    }

    fn own_metadata(&self, ask: Ask) -> io::Result<Dated> {
        self.hook.value(Operation::OwnMetadata, None, || self.inner.own_metadata(ask))
    }

    fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        self.hook.value(Operation::Entries, None, || self.inner.entries())
    }

    fn sync(&self) -> io::Result<()> {
        self.hook.unit(Operation::SyncDirectory, None, || self.inner.sync())
    }

    fn is_local(&self) -> io::Result<bool> {
        self.hook.value(Operation::IsLocal, None, || self.inner.is_local())
    }

    fn mount_number(&self) -> io::Result<Option<u64>> {
        self.hook.value(Operation::Boot, None, || self.inner.mount_number())
    }

    fn boot(&self) -> io::Result<u64> {
        self.hook.value(Operation::Boot, None, || self.inner.boot())
    }
}

#[derive(Debug)]
struct HookedFile {
    inner: Box<dyn RawFile>,
    hook: Hook,
}

impl RawFile for HookedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.hook.ask_of(Operation::Read, None, buffer.len()) {
            Action::Fail(error) => Err(error),
            Action::Nothing => Ok(0),
            Action::Part(most) => {
                let len = buffer.len().min(most);
                self.inner.read_at(&mut buffer[..len], offset)
            }
            Action::Pass | Action::Skip => self.inner.read_at(buffer, offset),
        }
    }

    fn write_at(&self, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let len = buffers.iter().map(|buffer| buffer.len()).sum();
        match self.hook.ask_of(Operation::Write, None, len) {
            Action::Fail(error) => Err(error),
            Action::Nothing => Ok(0),
            Action::Part(most) => {
                let all = buffers.iter().map(|buffer| &**buffer).collect::<Vec<&[u8]>>().concat();
                self.inner.write_at(&[IoSlice::new(&all[..len.min(most)])], offset)
            }
            Action::Skip => Ok(len),
            Action::Pass => self.inner.write_at(buffers, offset),
        }
    }

    fn extent(&self, offset: u64) -> io::Result<(bool, u64)> {
        self.hook.value(Operation::Extent, None, || self.inner.extent(offset))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.hook.unit(Operation::SetLen, None, || self.inner.set_len(len))
    }

    fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.hook.unit(Operation::SetModified, None, || self.inner.set_modified(time))
    }

    fn metadata(&self, ask: Ask) -> io::Result<Dated> {
        self.hook.value(Operation::FileMetadata, None, || self.inner.metadata(ask))
    }

    fn sync(&self) -> io::Result<()> {
        self.hook.unit(Operation::SyncFile, None, || self.inner.sync())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.hook.unit(Operation::SyncFile, None, || self.inner.sync_data())
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.hook.value(Operation::TryLock, None, || self.inner.try_lock())
    }

    fn unlock(&self) -> io::Result<()> {
        self.hook.unit(Operation::Unlock, None, || self.inner.unlock())
    }

    fn is_locked(&self) -> io::Result<bool> {
        self.hook.value(Operation::IsLocked, None, || self.inner.is_locked())
    }
}
