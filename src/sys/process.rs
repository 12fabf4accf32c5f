//! Whether something was made by this process, or inherited from the one that forked it.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fs::{MemfdFlags, memfd_create};

use super::os;

/// The process that made something.
///
/// A number alone is not enough: a child in a PID namespace of its own may have its parent's. What tells them
/// apart is a lock of the kind that belongs to a process and that no child inherits, on a file in memory.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pid: u32,
    /// None where no such file can be made: then the number has to be enough.
    mark: Option<Arc<OwnedFd>>,
}

impl Process {
    pub(crate) fn current() -> Self {
        thread_local! {
            static CURRENT: RefCell<Option<Process>> = const { RefCell::new(None) };
        }
        CURRENT.with_borrow_mut(|current| match current {
            Some(process) if process.is_current() => process.clone(),
            _ => {
                current.insert(Self { pid: std::process::id(), mark: mark().map(Arc::new) }).clone()
            }
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it is the one that asks. Takes no time to speak of.
    pub(crate) fn is_current(&self) -> bool {
        match &self.mark {
            Some(mark) => is_locked_by_us(mark),
            None => self.pid == std::process::id(),
        }
    }
}

/// An empty file that only this process has locked. Others get it by a fork alone.
fn mark() -> Option<OwnedFd> {
    let file = memfd_create("pitstop-process", MemfdFlags::CLOEXEC).ok()?;
    fcntl(&file, FcntlArg::F_SETLK(&os::whole_file(libc::F_WRLCK))).ok()?;
    Some(file)
}

/// A process does not meet its own lock; an open file meets that of every process.
fn is_locked_by_us(file: &OwnedFd) -> bool {
    os::meets_lock(file, |lock| FcntlArg::F_OFD_GETLK(lock)) == Ok(true)
        && os::meets_lock(file, |lock| FcntlArg::F_GETLK(lock)) == Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_process_is_itself_in_every_thread() {
        let process = Process::current();
        assert!(process.is_current() && process.mark.is_some());
        let elsewhere =
            std::thread::spawn(move || process.is_current() && Process::current().is_current());
        assert!(elsewhere.join().unwrap());
    }

    #[test]
    fn one_of_the_same_number_is_another_where_its_lock_is_gone() {
        let process = Process::current();
        let mark = process.mark.as_ref().unwrap();
        // Closing any descriptor of the file ends the lock, as the end of its process does.
        drop(mark.as_fd().try_clone_to_owned().unwrap());
        assert!(process.pid() == std::process::id() && !process.is_current());
        assert!(Process::current().is_current());
    }
}
