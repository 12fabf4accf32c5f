//! What this process and this machine are called, and who has a file open.

use std::cell::RefCell;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use rustix::process::geteuid;
use twox_hash::XxHash3_64;

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

/// A number for this run of the kernel.
pub(super) fn boot() -> io::Result<u64> {
    static BOOT: OnceLock<u64> = OnceLock::new();
    if let Some(boot) = BOOT.get() {
        return Ok(*boot);
    }
    let text = std::fs::read("/proc/sys/kernel/random/boot_id")?;
    Ok(*BOOT.get_or_init(|| XxHash3_64::oneshot(&text)))
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

/// Whether it is another process of this run of the kernel, and can be seen to live. Of one in another container
/// the number means another one here, if any, which started at another moment.
pub(super) fn sees(owner: &Owner) -> bool {
    let here = current_owner();
    let is_here = !owner.boot_id.is_empty() && owner.boot_id == here.boot_id;
    if !is_here || owner.start_time == 0 || owner.pid == here.pid {
        return false;
    }
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", owner.pid));
    stat.is_ok_and(|stat| !is_zombie(&stat) && start_time(&stat) == Some(owner.start_time))
}

/// Whether it has ended, and only its parent was not told yet.
pub(super) fn is_zombie(stat: &str) -> bool {
    stat.rsplit_once(')').is_some_and(|(_, after)| after.trim_start().starts_with(['Z', 'X']))
}

/// Looks through the open files of every process. Of those that may not be looked into, only the
/// ones of the file's owner and of root could have it open, since the directory is its owner's.
///
/// What cannot be seen is not gone: a container sees none of the processes outside, and `/proc` can hide those of
/// other users.
pub(super) fn is_open_anywhere(file: &Metadata) -> Option<bool> {
    let mut all_seen = sees_all_processes();
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

fn sees_all_processes() -> bool {
    /// The number of the PID namespace that all others are in, from linux/proc_ns.h.
    const FIRST: u64 = 0xEFFF_FFFC;
    let namespace = std::fs::metadata("/proc/self/ns/pid").map_or(0, |it| it.ino());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    namespace == FIRST && (geteuid().is_root() || !hides_processes(&mounts))
}

/// Whether what is mounted at `/proc`, by proc_pid_mountinfo(5), hides the processes of other users.
fn hides_processes(mounts: &str) -> bool {
    let at_proc = |line: &&str| line.split(' ').nth(4) == Some("/proc");
    let options = mounts.lines().rfind(at_proc).and_then(|line| line.rsplit(' ').next());
    let hides = |option: &str| match option.strip_prefix("hidepid=") {
        Some(how) => !matches!(how, "0" | "off" | "1" | "noaccess"),
        None => false,
    };
    options.is_none_or(|options| options.split(',').any(hides))
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
    fn what_hides_processes_is_known() {
        let line =
            |options| format!("22 29 0:5 / /proc rw,relatime shared:7 - proc proc rw{options}\n");
        for (options, hides) in [
            ("", false),
            (",hidepid=0", false),
            (",hidepid=noaccess", false),
            (",hidepid=invisible", true),
            (",gid=7,hidepid=2", true),
            (",hidepid=ptraceable", true),
        ] {
            assert_eq!(hides_processes(&line(options)), hides, "{options}");
        }
        // The last one is on top. What is not known may hide them.
        assert!(hides_processes(&(line("") + &line(",hidepid=2"))));
        assert!(hides_processes(""));
    }

    /// In a PID namespace of its own a process sees only itself.
    #[test]
    fn what_cannot_be_seen_may_have_it_open() {
        const STEP: &str = "PITSTOP_TEST_OPEN";
        use crate::sys::Disk;
        let look = |path: &str| {
            let path = Path::new(path);
            let directory = crate::sys::Os.open(path.parent().unwrap()).unwrap();
            let ask = crate::sys::Ask::Metadata;
            is_open_anywhere(&directory.metadata(path.file_name().unwrap(), ask).unwrap().metadata)
        };
        if let Ok(path) = std::env::var(STEP) {
            println!("seen: {:?}", look(&path));
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(look(path), Some(true));
        let mut command = std::process::Command::new("unshare");
        command.args([
            "-rpf",
            "--mount-proc",
            std::env::current_exe().unwrap().to_str().unwrap(),
            "--exact",
        ]);
        command.args(["sys::host::tests::what_cannot_be_seen_may_have_it_open", "--nocapture"]);
        let output = command.env(STEP, path).output();
        let said = output.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
        match said {
            // It sees none of the processes outside, and so cannot tell.
            Ok(said) if said.contains("seen: ") => assert!(said.contains("seen: None"), "{said}"),
            _ => eprintln!("skipped: no PID namespace can be made here"),
        }
    }

    #[test]
    fn an_owner_says_who_we_are() {
        let owner = current_owner();
        assert_eq!(owner.pid, std::process::id());
        assert!(owner.start_time > 0 && !owner.host.is_empty() && !owner.program.is_empty());
        assert_eq!(owner.boot_id.len(), 36);
    }
}
