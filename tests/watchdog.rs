//! Tests that must not hang, and steps that need a process of their own.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Far more than anything here takes, so that only what hangs runs into it.
const LONGEST: Duration = Duration::from_secs(60);

/// Runs it in another thread, and fails if it hangs.
#[track_caller]
pub(crate) fn within_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = mpsc::channel();
    let worker = thread::spawn(move || done.send(work()));
    match finished.recv_timeout(LONGEST) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => unreachable!("it ended without an outcome"),
        },
    }
}

/// Says which step this process is to run, if [`child`] started it.
const STEP: &str = "PITSTOP_TEST_STEP";

/// This test binary again, to run one of the [`steps`](super::steps) in `directory`: for what belongs
/// to a whole process, such as its environment and its umask.
pub(crate) fn child(step: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "steps::runs_the_step_it_was_started_for", "--nocapture"]);
    command.env(STEP, step).current_dir(directory).stdin(Stdio::null());
    command
}

/// Runs it, and fails with what it said if it fails.
#[track_caller]
pub(crate) fn run(mut command: impl std::borrow::BorrowMut<Command>) {
    let output = command.borrow_mut().output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Runs a [`child`] that may not do everything: root gives all in `directory` to somebody else, and is
/// that one. `false`, with a word to the reader, if that cannot be done.
#[track_caller]
pub(crate) fn as_nobody(step: &str, directory: &Path) -> bool {
    const NOBODY: u32 = 65534;
    let mut command = child(step, directory);
    if rustix::process::geteuid().is_root() {
        run(Command::new("chown").args(["-R", &NOBODY.to_string()]).arg(directory));
        command.uid(NOBODY);
    }
    match command.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "'{step}' failed as another user: {said}");
            true
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "skipped, nobody else may run '{step}': {error}");
            false
        }
    }
}

/// The step that this process was started for.
pub(crate) fn step() -> Option<String> {
    std::env::var(STEP).ok()
}
