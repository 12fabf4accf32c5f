//! Kernel locks on whole files.

use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

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

pub(super) fn set(fd: &OwnedFd, kind: i32) -> nix::Result<()> {
    again(|| fcntl(fd, FcntlArg::F_OFD_SETLK(&whole_file(kind)))).map(drop)
}

/// Whether a lock of somebody else would stand in the way, in the eyes of this call.
pub(super) fn meets(
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
