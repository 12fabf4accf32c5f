//! The kernel's side of the seam.
//!
//! A call that a signal interrupted is made again where that is the same as making it once. Those that
//! change a name are not: on a file system that can be interrupted after it did so, the second would
//! find the name gone, or taken.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::buffer::spare_capacity;
use rustix::fs::{
    self as fs, AtFlags, FileType, Mode, OFlags, RawDir, RenameFlags, SeekFrom, StatxFlags,
    Timespec, Timestamps,
};
use rustix::io::{Errno, retry_on_intr};

use super::{
    Access, Ask, Dated, Disk, Identity, Kind, Metadata, RawDirectory, RawFile, host, not_a_file,
};

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
// Nothing that may lie where a file belongs makes an open with these wait, or follow.
const FILE: OFlags =
    OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// The machine that this program runs on.
#[derive(Debug)]
pub(crate) struct Os;

impl Disk for Os {
    fn open(&self, path: &Path) -> io::Result<Box<dyn RawDirectory>> {
        let fd = retry_on_intr(|| fs::open(path, DIRECTORY, Mode::empty()))?;
        Ok(Box::new(OsDirectory(fd, Mutex::new(()))))
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn boot_time(&self) -> io::Result<SystemTime> {
        host::boot_time()
    }

    fn is_open_anywhere(&self, file: &Metadata) -> Option<bool> {
        host::is_open_anywhere(file)
    }
}

/// An open directory, and who reads its entries.
#[derive(Debug)]
struct OsDirectory(OwnedFd, Mutex<()>);

impl OsDirectory {
    /// What is made in it is its owner's alone, or its group's too if it is: that is said by the
    /// set-group-id bit together with the group's right to write.
    fn is_shared(&self) -> io::Result<bool> {
        let shared = Mode::SGID.union(Mode::RWXG);
        Ok(Mode::from_raw_mode(mode_of(&self.0)?).contains(shared))
    }

    fn list(&self) -> io::Result<Vec<(OsString, Kind)>> {
        // Reading moves the place in the open directory. To open it anew for that takes three calls.
        let _alone = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        fs::seek(&self.0, SeekFrom::Start(0))?;
        let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
        let mut read = RawDir::new(&self.0, &mut buffer);
        let mut entries = Vec::new();
        while let Some(entry) = read.next() {
            let entry = match entry {
                // The directory itself is gone.
                Err(Errno::NOENT) => break,
                entry => entry?,
            };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems do not say in a listing, and what was listed may be gone.
                FileType::Unknown => match self.metadata(name, Ask::Metadata) {
                    Ok(metadata) => metadata.kind,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                },
                known => kind(known),
            };
            entries.push((name.to_owned(), kind));
        }
        Ok(entries)
    }
}

impl RawDirectory for OsDirectory {
    fn open_directory(&self, name: &OsStr) -> io::Result<Box<dyn RawDirectory>> {
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        let fd = retry_on_intr(|| fs::openat(&self.0, name, flags, Mode::empty()))?;
        Ok(Box::new(Self(fd, Mutex::new(()))))
    }

    fn open_file(&self, name: &OsStr, access: Access) -> io::Result<Box<dyn RawFile>> {
        let flags = FILE
            | match access {
                Access::Read => OFlags::RDONLY,
                Access::Write => OFlags::RDWR,
                Access::Create => OFlags::RDWR | OFlags::CREATE,
                Access::CreateNew | Access::CreateNewExecutable => {
                    OFlags::RDWR | OFlags::CREATE | OFlags::EXCL
                }
            };
        let creates = !matches!(access, Access::Read | Access::Write);
        let mut mode = Mode::RUSR | Mode::WUSR;
        if access == Access::CreateNewExecutable {
            mode |= Mode::XUSR;
        }
        if creates && self.is_shared()? {
            mode |= Mode::RGRP | Mode::WGRP;
        }
        let fd = match retry_on_intr(|| fs::openat(&self.0, name, flags, mode)) {
            Ok(fd) => fd,
            Err(errno @ (Errno::LOOP | Errno::ISDIR | Errno::NXIO)) => {
                return Err(match self.metadata(name, Ask::Metadata) {
                    Ok(there) if there.kind != Kind::File => not_a_file(there.kind),
                    _ => errno.into(),
                });
            }
            Err(errno) => return Err(errno.into()),
        };
        let is = mode_of(&fd)?;
        match kind(FileType::from_raw_mode(is)) {
            Kind::File => (),
            other => return Err(not_a_file(other)),
        }
        if creates {
            set_mode(&fd, is, mode)?;
        }
        Ok(Box::new(OsFile(fd)))
    }

    fn make_directory(&self, name: &OsStr) -> io::Result<()> {
        let mut mode = Mode::RWXU;
        if self.is_shared()? {
            mode |= Mode::RWXG | Mode::SGID;
        }
        fs::mkdirat(&self.0, name, mode)?;
        // A umask may have taken bits away that its owner needs; one that adds some does not exist.
        let flags = OFlags::PATH | OFlags::NOFOLLOW;
        let fd = match retry_on_intr(|| fs::openat(&self.0, name, flags, Mode::empty())) {
            // Somebody has removed it already.
            Err(Errno::NOENT) => return Ok(()),
            fd => fd?,
        };
        if !Mode::from_raw_mode(mode_of(&fd)?).contains(mode) {
            retry_on_intr(|| fs::chmodat(&self.0, name, mode, AtFlags::empty()))?;
        }
        Ok(())
    }

    fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(fs::renameat(&self.0, from, &self.0, to)?)
    }

    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match fs::renameat_with(&self.0, from, &self.0, to, RenameFlags::NOREPLACE) {
            // This file system cannot look and rename in one.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                match self.metadata(to, Ask::Identity) {
                    Ok(_) => Err(Errno::EXIST.into()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => self.rename(from, to),
                    Err(error) => Err(error),
                }
            }
            outcome => Ok(outcome?),
        }
    }

    fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(fs::linkat(&self.0, from, &self.0, to, AtFlags::empty())?)
    }

    fn make_symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()> {
        Ok(fs::symlinkat(target, &self.0, name)?)
    }

    fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        let text = retry_on_intr(|| fs::readlinkat(&self.0, name, Vec::new()))?;
        Ok(OsString::from_vec(text.into_bytes()))
    }

    fn metadata(&self, name: &OsStr, ask: Ask) -> io::Result<Dated> {
        metadata(&self.0, name, AtFlags::SYMLINK_NOFOLLOW, ask)
    }

    fn metadata_below(&self, directory: &OsStr, name: &OsStr, ask: Ask) -> io::Result<Dated> {
        let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
        path.extend_from_slice(directory.as_bytes());
        path.push(b'/');
        path.extend_from_slice(name.as_bytes());
        metadata(&self.0, OsStr::from_bytes(&path), AtFlags::SYMLINK_NOFOLLOW, ask)
    }

    fn own_metadata(&self, ask: Ask) -> io::Result<Dated> {
        metadata(&self.0, OsStr::new(""), AtFlags::EMPTY_PATH, ask)
    }

    fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        loop {
            match self.list() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                listed => return listed,
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        Ok(retry_on_intr(|| fs::fsync(&self.0))?)
    }

    fn is_local(&self) -> io::Result<bool> {
        // From linux/magic.h: NFS, SMB (2), CIFS, Ceph, FUSE, 9P, AFS (2), Coda, GFS2, OCFS2, Lustre,
        // VirtualBox and VMware shared folders.
        const SHARED: [u32; 15] = [
            0x6969,
            0xfe53_4d42,
            0x517b,
            0xff53_4d42,
            0x00c3_6400,
            0x6573_5546,
            0x0102_1997,
            0x5346_414f,
            0x6b41_4653,
            0x7375_7245,
            0x0116_1970,
            0x7461_636f,
            0x0bd0_0bd0,
            0x786f_4256,
            0xbacb_acbc,
        ];
        Ok(!SHARED.contains(&(retry_on_intr(|| fs::fstatfs(&self.0))?.f_type as u32)))
    }
}

#[derive(Debug)]
struct OsFile(OwnedFd);

impl RawFile for OsFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| rustix::io::pread(&self.0, &mut *buffer, offset))?)
    }

    fn append_at(&self, data: &mut Vec<u8>, offset: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| rustix::io::pread(&self.0, spare_capacity(data), offset))?)
    }

    fn write_at(&self, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let written = retry_on_intr(|| match buffers {
            [one] => rustix::io::pwrite(&self.0, one, offset),
            many => rustix::io::pwritev(&self.0, many, offset),
        });
        Ok(written?)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Ok(retry_on_intr(|| fs::ftruncate(&self.0, len))?)
    }

    fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let modified = Timespec::try_from(since).map_err(|_| Errno::OVERFLOW)?;
        let accessed = Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT };
        let times = Timestamps { last_access: accessed, last_modification: modified };
        Ok(retry_on_intr(|| fs::futimens(&self.0, &times))?)
    }

    fn metadata(&self, ask: Ask) -> io::Result<Dated> {
        metadata(&self.0, OsStr::new(""), AtFlags::EMPTY_PATH, ask)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(retry_on_intr(|| fs::fsync(&self.0))?)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(retry_on_intr(|| fs::fdatasync(&self.0))?)
    }

    fn try_lock(&self) -> io::Result<bool> {
        match set_lock(&self.0, libc::F_WRLCK) {
            Ok(()) => Ok(true),
            Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        Ok(set_lock(&self.0, libc::F_UNLCK)?)
    }

    fn is_locked(&self) -> io::Result<bool> {
        Ok(meets_lock(&self.0, |lock| FcntlArg::F_OFD_GETLK(lock))?)
    }
}

/// An open-file-description lock: it belongs to the open file, not to the process, so that threads
/// exclude each other too, and the kernel tells who holds it without anybody having to take it.
pub(super) fn whole_file(kind: i32) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

fn set_lock(fd: &OwnedFd, kind: i32) -> nix::Result<()> {
    again(|| fcntl(fd, FcntlArg::F_OFD_SETLK(&whole_file(kind)))).map(drop)
}

/// Whether a lock of somebody else would stand in the way, in the eyes of this call.
pub(super) fn meets_lock(
    fd: &OwnedFd,
    ask: impl Fn(&mut libc::flock) -> FcntlArg<'_>,
) -> nix::Result<bool> {
    again(|| {
        let mut lock = whole_file(libc::F_WRLCK);
        fcntl(fd, ask(&mut lock)).map(|_| i32::from(lock.l_type) != libc::F_UNLCK)
    })
}

/// On a file system that other machines share, a signal may come before the answer.
fn again<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(nix::Error::EINTR) => (),
            outcome => return outcome,
        }
    }
}

/// Gives a new file the bits that a umask or an access list of the directory changed.
fn set_mode(fd: &OwnedFd, is: u32, wanted: Mode) -> io::Result<()> {
    if Mode::from_raw_mode(is) & Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO) != wanted {
        retry_on_intr(|| fs::fchmod(fd, wanted))?;
    }
    Ok(())
}

fn kind(file_type: FileType) -> Kind {
    match file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::BlockDevice | FileType::CharacterDevice => Kind::Device,
        FileType::Unknown => Kind::Unknown,
    }
}

fn mask(ask: Ask) -> StatxFlags {
    const IDENTITY: StatxFlags = StatxFlags::INO.union(StatxFlags::NLINK);
    const METADATA: StatxFlags = IDENTITY
        .union(StatxFlags::TYPE)
        .union(StatxFlags::MODE)
        .union(StatxFlags::UID)
        .union(StatxFlags::SIZE)
        .union(StatxFlags::BLOCKS)
        .union(StatxFlags::MNT_ID);
    match ask {
        Ask::Identity => IDENTITY,
        Ask::Metadata => METADATA,
        Ask::Times => METADATA | StatxFlags::MTIME | StatxFlags::CTIME | StatxFlags::BTIME,
    }
}

fn metadata(directory: &OwnedFd, name: &OsStr, flags: AtFlags, ask: Ask) -> io::Result<Dated> {
    let statx = retry_on_intr(|| fs::statx(directory, name, flags, mask(ask)))?;
    let identity = Identity {
        inode: statx.stx_ino,
        device: fs::makedev(statx.stx_dev_major, statx.stx_dev_minor),
        links: statx.stx_nlink.into(),
    };
    let metadata = Metadata {
        identity,
        kind: kind(FileType::from_raw_mode(statx.stx_mode.into())),
        size: statx.stx_size,
        allocated: statx.stx_blocks * 512,
        mount: statx.stx_mnt_id,
        owner: statx.stx_uid,
        is_executable: Mode::from_raw_mode(statx.stx_mode.into()).contains(Mode::XUSR),
    };
    Ok(Dated {
        metadata,
        modified: time(statx.stx_mtime.tv_sec, statx.stx_mtime.tv_nsec),
        changed: time(statx.stx_ctime.tv_sec, statx.stx_ctime.tv_nsec),
        created: (statx.stx_mask & StatxFlags::BTIME.bits() != 0)
            .then(|| time(statx.stx_btime.tv_sec, statx.stx_btime.tv_nsec)),
    })
}

/// The type and the mode, and nothing else: see [`Ask`].
fn mode_of(fd: &OwnedFd) -> io::Result<u32> {
    let mask = StatxFlags::TYPE | StatxFlags::MODE;
    Ok(retry_on_intr(|| fs::statx(fd, c"", AtFlags::EMPTY_PATH, mask))?.stx_mode.into())
}

fn time(seconds: i64, nanoseconds: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let second = if seconds < 0 { epoch.checked_sub(whole) } else { epoch.checked_add(whole) };
    second.unwrap_or(epoch) + Duration::from_nanos(nanoseconds.into())
}
