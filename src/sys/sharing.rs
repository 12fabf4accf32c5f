//! Whose the things are that are made in a directory: their maker's alone, or the directory's group's too.
//!
//! A directory says by its mode that it is its group's: set-group-id, writable for the group and for nobody
//! else. But everybody can make such a directory and put it where others save, so that its owner has to be
//! somebody who may say so.

use std::io;
use std::os::fd::OwnedFd;

use nix::unistd::{Gid, Uid, User, getgrouplist};
use rustix::fs::{self, AtFlags, Mode, OFlags, Statx, StatxFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{getegid, geteuid, getgroups};

/// The mode of a directory that is its group's.
pub(super) const SHARED: Mode = Mode::SGID.union(Mode::RWXU).union(Mode::RWXG);

/// The group that shares what this process makes in a directory; `None` if nobody does.
///
/// Root shares where root owns the directory, or one above it that is the same group's: whoever runs the
/// machine made it so. A user shares where the user, root or another member of the group owns it.
pub(super) fn group(directory: &OwnedFd) -> io::Result<Option<u32>> {
    let there = access_of(directory)?;
    if !is_its_groups(&there) {
        return Ok(None);
    }
    let may = match geteuid().as_raw() {
        _ if there.stx_uid == 0 => true,
        0 => {
            let above = look(directory, c"..", AtFlags::empty())?;
            above.stx_uid == 0 && is_its_groups(&above) && above.stx_gid == there.stx_gid
        }
        user => there.stx_uid == user || are_members(there.stx_uid, there.stx_gid)?,
    };
    Ok(may.then_some(there.stx_gid))
}

/// Who may do what with it, and how many names it has: nothing that [`Ask`](super::Ask) does not ask for.
pub(super) fn access_of(fd: &OwnedFd) -> io::Result<Statx> {
    look(fd, c"", AtFlags::EMPTY_PATH)
}

fn look(fd: &OwnedFd, name: &std::ffi::CStr, flags: AtFlags) -> io::Result<Statx> {
    let owner = StatxFlags::UID | StatxFlags::GID;
    let mask = StatxFlags::TYPE | StatxFlags::MODE | StatxFlags::NLINK | owner;
    Ok(retry_on_intr(|| fs::statx(fd, name, flags, mask))?)
}

fn is_its_groups(directory: &Statx) -> bool {
    let mode = Mode::from_raw_mode(directory.stx_mode.into());
    mode.contains(Mode::SGID | Mode::RWXG) && !mode.contains(Mode::WOTH)
}

/// Whether this process and another user are members of a group.
fn are_members(other: u32, group: u32) -> io::Result<bool> {
    let is_ours = getegid().as_raw() == group || getgroups()?.iter().any(|it| it.as_raw() == group);
    Ok(is_ours && groups_of(other).contains(&Gid::from_raw(group)))
}

/// The groups of a user; none if the user is not known.
fn groups_of(user: u32) -> Vec<Gid> {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(user)) else { return Vec::new() };
    let name = std::ffi::CString::new(user.name);
    name.ok().and_then(|name| getgrouplist(&name, user.gid).ok()).unwrap_or_default()
}

/// Makes a directory with this mode, whatever the umask; without the group's rights if it got another group.
pub(super) fn make_directory(
    parent: &OwnedFd,
    name: &std::ffi::OsStr,
    shared: Option<u32>,
) -> io::Result<()> {
    let mode = if shared.is_some() { SHARED } else { Mode::RWXU };
    fs::mkdirat(parent, name, mode)?;
    finish_directory(parent, name, shared, mode)
}

fn finish_directory(
    parent: &OwnedFd,
    name: &std::ffi::OsStr,
    shared: Option<u32>,
    mode: Mode,
) -> io::Result<()> {
    // From here on somebody else may have put another directory there, or a link: nothing is changed by its name.
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = |flags| retry_on_intr(|| fs::openat(parent, name, flags, Mode::empty()));
    let (fd, readable) = match open(flags) {
        // The umask took even its owner's right to read.
        Err(Errno::ACCESS) => (open(flags | OFlags::PATH), false),
        opened => (opened, true),
    };
    let fd = match fd {
        // Somebody has removed it already.
        Err(Errno::NOENT) => return Ok(()),
        fd => fd?,
    };
    let there = access_of(&fd)?;
    if there.stx_uid != geteuid().as_raw() {
        return Err(replaced());
    }
    let mode = if shared.is_some_and(|it| it != there.stx_gid) { Mode::RWXU } else { mode };
    if Mode::from_raw_mode(there.stx_mode.into()).contains(mode) {
        return Ok(());
    }
    match readable {
        true => retry_on_intr(|| fs::fchmod(&fd, mode))?,
        // What is open for its path alone is changed by this name of the descriptor.
        false => {
            use std::os::fd::AsRawFd;
            let itself = format!("/proc/self/fd/{}", fd.as_raw_fd());
            retry_on_intr(|| fs::chmod(itself.as_str(), mode))?;
        }
    }
    Ok(())
}

fn replaced() -> io::Error {
    let text = "somebody else put a directory in its place while it was made";
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, Permissions, create_dir, metadata, set_permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    #[test]
    fn nobody_gets_root_to_change_the_mode_of_anything_else() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        let parent = OwnedFd::from(File::open(scratch.path()).unwrap());
        let make = |name: &str| {
            create_dir(at(name)).unwrap();
            set_permissions(at(name), Permissions::from_mode(0o700)).unwrap();
        };
        let mode = |name: &str| metadata(at(name)).unwrap().mode() & 0o7777;
        let group = Some(metadata(scratch.path()).unwrap().gid());
        let finish = |name: &str| finish_directory(&parent, name.as_ref(), group, SHARED);
        make("ours");
        finish("ours").unwrap();
        assert_eq!(mode("ours"), 0o2770);
        // A link is there by now, or a directory of somebody else's.
        make("target");
        symlink(at("target"), at("link")).unwrap();
        finish("link").unwrap_err();
        assert_eq!(mode("target"), 0o700);
        if geteuid().is_root() {
            make("other");
            chown(at("other"), Some(52_001), None).unwrap();
            finish("other").unwrap_err();
            assert_eq!(mode("other"), 0o700);
        } else {
            eprintln!("skipped: only root can make what is another user's");
        }
    }
}
