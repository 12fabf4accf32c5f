//! What this process and this machine are called, and who has a file open.

use std::cell::RefCell;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};

use super::{Identity, Metadata, Process};
use crate::owner::Owner;

/// The record that this process leaves where it is the writer.
pub(crate) fn current_owner() -> Owner {
    thread_local! {
        static CURRENT: RefCell<Option<(Process, Owner)>> = const { RefCell::new(None) };
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    CURRENT.with_borrow_mut(|current| {
        // A fork makes this another process.
        current.take_if(|(process, _)| !process.is_current());
        let (_, owner) = current.get_or_insert_with(|| (Process::current(), read_owner()));
        Owner { since: since.as_secs(), ..owner.clone() }
    })
}

/// What this process is called in its records instead of after its program.
static PROGRAM: OnceLock<String> = OnceLock::new();

impl Owner {
    /// Describes this process, as the record of a writer tells others.
    pub fn current() -> Self {
        current_owner()
    }

    /// What the writers of this process are called, instead of after the file of its program: for one that
    /// holds sessions on behalf of others. To be called before any repository is opened; only the first call
    /// counts.
    pub fn set_program(name: impl Into<String>) {
        let _ = PROGRAM.set(name.into());
    }
}

fn read_owner() -> Owner {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    Owner {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        boot_id: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
        pid: std::process::id(),
        start_time: start_time(&read("/proc/self/stat")).unwrap_or(0),
        program: PROGRAM
            .get()
            .cloned()
            .or_else(|| {
                let path = std::env::args_os().next()?;
                Some(Path::new(&path).file_name()?.to_string_lossy().into_owned())
            })
            .unwrap_or_else(|| read("/proc/self/comm").trim().to_owned()),
        since: 0,
    }
}

/// Field 22 of proc_pid_stat(5). The second field is a name in parentheses and may hold anything.
pub(super) fn start_time(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

pub(super) fn boot_time() -> io::Result<SystemTime> {
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let up = Duration::new(up.tv_sec.unsigned_abs(), up.tv_nsec as u32);
    SystemTime::now().checked_sub(up).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Looks through the open files of every process. Of those that may not be looked into, only the
/// ones of the file's owner and of root could have it open, since the directory is its owner's.
pub(super) fn is_open_anywhere(file: &Metadata) -> Option<bool> {
    let mut all_seen = true;
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let path = process.path();
        let name = process.file_name();
        if !name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        match std::fs::read_dir(path.join("fd")) {
            Ok(descriptors) => {
                if descriptors.flatten().any(|fd| is_open_as(&fd.path(), file)) {
                    return Some(true);
                }
            }
            // A process that ended meanwhile has nothing open.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => (),
            Err(_) => {
                let of_owner = |process: std::fs::Metadata| process.uid() == file.owner;
                all_seen &= !std::fs::metadata(&path).is_ok_and(of_owner);
            }
        }
    }
    all_seen.then_some(false)
}

/// Whether a descriptor is of this file. It may be of any other, also of one whose times must not be asked
/// for: see [`Ask`](super::Ask).
fn is_open_as(descriptor: &Path, file: &Identity) -> bool {
    let open = statx(CWD, descriptor, AtFlags::empty(), StatxFlags::INO);
    open.is_ok_and(|it| {
        (makedev(it.stx_dev_major, it.stx_dev_minor), it.stx_ino) == (file.device, file.inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_program_name() {
        let fields: Vec<String> = (3..=52).map(|n| n.to_string()).collect();
        let stat = format!("77 (a ) b) {}", fields.join(" "));
        assert_eq!(start_time(&stat), Some(22));
        assert_eq!(start_time(""), None);
    }

    #[test]
    fn an_owner_says_who_we_are() {
        let owner = current_owner();
        assert_eq!(owner.pid, std::process::id());
        assert!(owner.start_time > 0 && !owner.host.is_empty() && !owner.program.is_empty());
        assert_eq!(owner.boot_id.len(), 36);
    }
}
