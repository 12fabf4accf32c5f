//! Which machine a process runs on, and whether it still does.

use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use super::host::{current_owner, is_zombie, start_time};

/// What tells one system from another, so that a process of this one can be told from one elsewhere. Neither the name of a
/// machine nor its machine-id is in it: machines made of one image have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The kernel's id of the boot.
    boot_id: String,
    /// Where process ids are counted; 0 if that is not known.
    pid_namespace: u64,
}

impl Machine {
    pub(crate) fn current() -> Self {
        let pid_namespace = std::fs::metadata("/proc/self/ns/pid").map_or(0, |it| it.ino());
        Self { boot_id: current_owner().boot_id, pid_namespace }
    }

    /// One that is not this one.
    #[cfg(feature = "seam")]
    pub(crate) fn called(name: &str) -> Self {
        Self { boot_id: name.to_owned(), pid_namespace: 1 }
    }

    /// Whether process ids mean the same on both.
    pub(crate) fn is_same_system(&self, other: &Self) -> bool {
        let known = !self.boot_id.is_empty() && self.pid_namespace != 0;
        known && (&self.boot_id, self.pid_namespace) == (&other.boot_id, other.pid_namespace)
    }
}

/// Whether a process of this system runs, and is the one that started then.
pub(crate) fn is_running(pid: u32, started: u64) -> bool {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(id) = id else { return false };
    if test_kill_process(id) == Err(Errno::SRCH) {
        return false;
    }
    // What may not be looked into may be the one.
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !is_zombie(&stat) && start_time(&stat).is_none_or(|time| time == started),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_one_that_is_gone() {
        let owner = current_owner();
        assert!(is_running(owner.pid, owner.start_time));
        assert!(!is_running(owner.pid, owner.start_time + 1));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!is_running(pid, owner.start_time));
        assert!(!is_running(0, 0) && is_zombie("7 (a b) Z 1 7") && !is_zombie("7 (Z) S 1 7"));
    }

    #[test]
    fn a_machine_is_told_from_another_and_from_another_boot() {
        let here = Machine::current();
        assert!(here.is_same_system(&here));
        let boot = Machine { boot_id: "another".to_owned(), ..here.clone() };
        let container = Machine { pid_namespace: 1, ..here.clone() };
        let nameless = Machine { boot_id: String::new(), ..here.clone() };
        for other in [boot, container, nameless] {
            assert!(!other.is_same_system(&here));
        }
    }
}
