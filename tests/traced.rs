//! Runs a task in a child process and stops it at a system call of one's choice. No other tool is
//! needed for that: the kernel lets a parent trace its child.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

const TASK: &str = "PITSTOP_TEST_TASK";
const PLACE: &str = "PITSTOP_TEST_PLACE";

/// Nothing in a test calls this otherwise, so it marks where the traced part begins and ends.
pub(crate) fn mark() {
    nix::unistd::getppid();
}

/// The task that a child was started for: its name and its directory.
pub(crate) fn task() -> Option<(String, String)> {
    Some((std::env::var(TASK).ok()?, std::env::var(PLACE).ok()?))
}

/// The command that runs the test `child` of this binary with a task, and nothing else.
pub(crate) fn command(child: &str, task: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([child, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(TASK, task).env(PLACE, place).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    command
}

/// The system calls that the child made between the marks.
pub(crate) struct Trace {
    pub(crate) calls: Vec<libc::c_long>,
    pub(crate) killed: bool,
}

/// Runs the test `child` of this binary with a task. With `kill_at`, SIGKILL comes instead of that
/// call between the marks, counted from 0.
pub(crate) fn run(child: &str, task: &str, place: &Path, kill_at: Option<usize>) -> Trace {
    let is_it = |calls: &[libc::c_long], _: &_| kill_at == Some(calls.len() - 1);
    follow(start(command(child, task, place)), is_it, |process, _| {
        kill(process, Signal::SIGKILL).unwrap();
        true
    })
}

/// Runs the test `child` with a task, and shows each call between the marks before it is made.
pub(crate) fn watch(child: &str, task: &str, place: &Path, mut show: impl FnMut(&Call)) {
    let look = |_: &[libc::c_long], call: &Call| {
        show(call);
        false
    };
    follow(start(command(child, task, place)), look, |_, _| false);
}

/// A system call that is about to be made.
pub(crate) struct Call {
    pub(crate) thread: Pid,
    pub(crate) number: libc::c_long,
    pub(crate) arguments: [u64; 6],
}

impl Call {
    /// The text at an address in the memory of the process.
    pub(crate) fn text(&self, address: u64) -> OsString {
        use std::os::unix::fs::FileExt;
        let memory = std::fs::File::open(format!("/proc/{}/mem", self.thread)).unwrap();
        let mut byte = [0];
        let bytes = (address..).map_while(|at| {
            memory.read_exact_at(&mut byte, at).unwrap();
            (byte != [0]).then_some(byte[0])
        });
        OsString::from_vec(bytes.collect())
    }

    /// The path of an open file.
    pub(crate) fn path_of(&self, descriptor: u64) -> PathBuf {
        let open = format!("/proc/{}/fd/{}", self.thread, descriptor as i32);
        std::fs::read_link(open).unwrap()
    }
}

/// Runs the test `child` with a task. Between the marks, the nth of these calls is not made: it fails
/// with EINTR.
#[cfg(target_arch = "x86_64")]
pub(crate) fn interrupt(
    child: &str,
    task: &str,
    place: &Path,
    (call, nth): (libc::c_long, usize),
) -> Trace {
    let is_it = |calls: &[libc::c_long], _: &_| {
        calls.ends_with(&[call]) && calls.iter().filter(|it| **it == call).count() == nth + 1
    };
    follow(start(command(child, task, place)), is_it, |_, thread| {
        let mut registers = ptrace::getregs(thread).unwrap();
        registers.orig_rax = u64::MAX;
        ptrace::setregs(thread, registers).unwrap();
        ptrace::syscall(thread, None).unwrap();
        let stopped = waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        assert_eq!(stopped, WaitStatus::PtraceSyscall(thread));
        registers.rax = -i64::from(libc::EINTR) as u64;
        ptrace::setregs(thread, registers).unwrap();
        false
    })
}

/// Runs the test `child` with a task and stops it before that call between the marks; it goes on
/// after `meanwhile`. Gives whether there is such a call.
pub(crate) fn pause(command: Command, at: usize, meanwhile: impl FnOnce()) -> bool {
    let mut meanwhile = Some(meanwhile);
    follow(
        start(command),
        |calls, _| at == calls.len() - 1,
        |_, _| {
            meanwhile.take().unwrap()();
            false
        },
    );
    meanwhile.is_none()
}

#[allow(clippy::zombie_processes)] // `follow` waits for it, as its tracer.
fn start(mut command: Command) -> Pid {
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
    let child = command.spawn().unwrap();
    let process = Pid::from_raw(child.id() as i32);
    assert!(matches!(waitpid(process, None), Ok(WaitStatus::Stopped(_, Signal::SIGTRAP))));
    let options =
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(process, options).unwrap();
    ptrace::syscall(process, None).unwrap();
    process
}

/// `is_it` is given the calls between the marks, and the last of them, which is about to be made: it says
/// whether that is the one to act at. `act` is given the process and the thread, and says whether it killed
/// them.
fn follow(
    process: Pid,
    mut is_it: impl FnMut(&[libc::c_long], &Call) -> bool,
    mut act: impl FnMut(Pid, Pid) -> bool,
) -> Trace {
    let mut trace = Trace { calls: Vec::new(), killed: false };
    let mut between_marks = false;
    // Only what this thread traces: other tests have children too.
    let ours = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
    loop {
        match waitpid(None, Some(ours)).unwrap() {
            WaitStatus::PtraceSyscall(thread) => {
                match entered(thread) {
                    Some(Call { number: libc::SYS_getppid, .. }) => between_marks = !between_marks,
                    Some(call) if between_marks && !trace.killed => {
                        trace.calls.push(call.number);
                        if is_it(&trace.calls, &call) {
                            trace.killed = act(process, thread);
                        }
                    }
                    _ => (),
                }
                let _ = ptrace::syscall(thread, None);
            }
            WaitStatus::Stopped(thread, signal) => {
                let deliver =
                    (!matches!(signal, Signal::SIGSTOP | Signal::SIGTRAP)).then_some(signal);
                let _ = ptrace::syscall(thread, deliver);
            }
            WaitStatus::PtraceEvent(thread, ..) => {
                let _ = ptrace::syscall(thread, None);
            }
            WaitStatus::Exited(pid, status) if pid == process => {
                assert_eq!(status, 0, "the task failed");
                return trace;
            }
            WaitStatus::Signaled(pid, ..) if pid == process => {
                assert!(trace.killed, "the task was killed by somebody else");
                return trace;
            }
            _ => (),
        }
    }
}

/// The system call that is about to begin; `None` where one ends.
fn entered(thread: Pid) -> Option<Call> {
    let info = ptrace::syscall_info(thread).ok()?;
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: `op` says that this is the part of the union that the kernel filled in.
    let entry = unsafe { info.u.entry };
    Some(Call { thread, number: entry.nr as libc::c_long, arguments: entry.args })
}
