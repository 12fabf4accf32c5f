//! A program that runs in our place: what signals us signals it, and how it ends is how we end.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use rustix::process::{
    Pid, WaitOptions, WaitStatus, getppid, kill_process, set_parent_process_death_signal, waitpid,
};

/// The signals that are passed on. `Ctrl-C` and its like reach the program by themselves.
const PASSED_ON: [Signal; 9] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];

/// The signals of this process, which are read from now on and do nothing else.
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Before any thread is started, since each inherits it.
    pub(crate) fn take() -> io::Result<Self> {
        let signals = signals();
        signals.thread_block()?;
        Ok(Self(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?))
    }

    /// Starts a program that [becomes](become_program) the wanted one, and waits until it has ended.
    pub(crate) fn run(&self, command: &mut Command) -> io::Result<Ended> {
        let child = Pid::from_child(&command.spawn()?);
        let mut was_asked_to_stop = false;
        loop {
            if let Some(status) = ended(child)? {
                let by_signal = status.terminating_signal();
                was_asked_to_stop |=
                    by_signal.is_some_and(|it| STOPPING.map(|it| it as i32).contains(&it));
                return Ok(Ended { status, was_asked_to_stop });
            }
            let Some(signal) = self.0.read_signal()? else { continue };
            was_asked_to_stop |= STOPPING.map(|it| it as u32).contains(&signal.ssi_signo);
            let number = Some(signal).filter(|it| is_for(child, it));
            let number = number.and_then(|it| i32::try_from(it.ssi_signo).ok());
            if let Some(signal) = number.and_then(rustix::process::Signal::from_named_raw) {
                // One that has just ended needs none.
                let _ = kill_process(child, signal);
            }
        }
    }
}

/// The signals that ask a program to stop.
const STOPPING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// How a program ended.
pub(crate) struct Ended {
    status: WaitStatus,
    /// Whether one of the signals that ask for it came to it or to this process.
    pub(crate) was_asked_to_stop: bool,
}

impl Ended {
    /// `None` if a signal killed it.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        self.status.exit_status()
    }

    /// As shells have it: of one that was killed, 128 and the number of the signal.
    pub(crate) fn code(&self) -> u8 {
        let signal = self.status.terminating_signal().map(|signal| 128 + signal);
        let code = self.exit_code().or(signal);
        code.and_then(|it| u8::try_from(it).ok()).unwrap_or(u8::MAX)
    }
}

fn signals() -> SigSet {
    PASSED_ON.into_iter().chain([Signal::SIGCHLD]).collect()
}

/// Runs a program in place of this one, which `parent` started with its signals blocked. There is no moment in
/// which one that comes would end the process that is to pass it on. If the parent is killed, the kernel sends
/// SIGTERM to the program.
pub(crate) fn become_program(command: &mut Command, parent: Pid) -> io::Error {
    match end_with(parent).and_then(|()| Ok(signals().thread_unblock()?)) {
        Ok(()) => command.exec(),
        Err(error) => error,
    }
}

fn end_with(parent: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    // A parent that was killed before that call sends nothing.
    match getppid() == Some(parent) {
        true => Ok(()),
        false => Err(io::Error::other("the `pitstop run` that started it was killed")),
    }
}

/// What the terminal sends goes to all processes in the foreground, and the program has it already. What
/// it sends itself is not for it.
fn is_for(child: Pid, signal: &siginfo) -> bool {
    let from_a_process = signal.ssi_code <= 0;
    let from_child = signal.ssi_pid == child.as_raw_nonzero().get().unsigned_abs();
    signal.ssi_signo != Signal::SIGCHLD as u32 && from_a_process && !from_child
}

/// How the program ended, if it has. If it was stopped, from the terminal, so are we
/// until somebody goes on with us.
fn ended(child: Pid) -> io::Result<Option<WaitStatus>> {
    let stops = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU].map(|it| it as i32);
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
    while let Some((_, status)) = waitpid(Some(child), options)? {
        if status.stopping_signal().is_some_and(|signal| stops.contains(&signal)) {
            kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?;
        }
        if status.exited() || status.signaled() {
            return Ok(Some(status));
        }
    }
    Ok(None)
}
