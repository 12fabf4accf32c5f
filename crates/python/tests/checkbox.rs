//! Real runs of Checkbox on its drop-in: killed in the middle of a job, and resumed.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::clients::CHECKBOX;
use crate::venv::{Venv, run};

/// A place with a provider of three jobs, and a Checkbox that runs them.
struct Place {
    checkbox: &'static Venv,
    scratch: tempfile::TempDir,
}

impl Place {
    fn new() -> Option<Self> {
        let place = Self { checkbox: CHECKBOX.venv()?, scratch: scratch() };
        let path = place.scratch.path();
        fs::create_dir_all(path.join("units")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/provider");
        for (from, to) in [
            ("demo.provider", "demo.provider"),
            ("jobs.pxu", "units/jobs.pxu"),
            ("launcher", "launcher"),
        ] {
            let text = fs::read_to_string(source.join(from)).unwrap();
            fs::write(path.join(to), text.replace("LOCATION", path.to_str().unwrap())).unwrap();
        }
        Some(place)
    }

    fn checkbox(&self, arguments: &[&str]) -> Command {
        let path = self.scratch.path();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/checkbox_cli.py");
        let mut command = self.checkbox.command("python");
        command.arg(script).arg(path.join("base")).arg("launcher").args(arguments);
        command.arg(path.join("launcher")).current_dir(path).stdin(Stdio::null());
        command.env("HOME", path).env("PROVIDERPATH", path).env_remove("XDG_CACHE_HOME");
        command
    }

    /// Starts the jobs and kills Checkbox while the second one runs.
    fn kill_in_the_second_job(&self) -> PathBuf {
        let path = self.scratch.path();
        run(Command::new("mkfifo").arg(path.join("started")).arg(path.join("go-on"))).unwrap();
        let mut command = self.checkbox(&[]);
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        let mut checkbox = command.spawn().unwrap();
        // This waits until the job has opened it, too.
        drop(File::open(path.join("started")).unwrap());
        checkbox.kill().unwrap();
        checkbox.wait().unwrap();
        // The job outlives it, until it may go on.
        drop(File::options().read(true).write(true).open(path.join("go-on")).unwrap());
        fs::remove_file(path.join("started")).unwrap();
        let mut sessions = fs::read_dir(path.join("base/sessions")).unwrap();
        let session = sessions.next().unwrap().unwrap().path();
        assert!(sessions.next().is_none());
        assert!(session.join("session.writer").exists(), "it was not Pitstop that saved");
        session
    }

    /// Resumes it in a new process, which has to finish.
    fn resume(&self, session: &Path) {
        let id = session.file_stem().unwrap().to_str().unwrap();
        run(&mut self.checkbox(&["--resume", id])).unwrap_or_else(|failure| panic!("{failure}"));
        let ran = fs::read_to_string(session.join("session-share/ran")).unwrap();
        assert_eq!(ran, "first\nsecond\nthird\n");
    }
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_run_that_was_killed_is_resumed_and_finishes() {
    let Some(place) = Place::new() else { return };
    let session = place.kill_in_the_second_job();
    place.resume(&session);
}

#[test]
fn a_run_is_resumed_with_what_a_killed_plainbox_left_and_beside_a_damaged_session() {
    let Some(place) = Place::new() else { return };
    let session = place.kill_in_the_second_job();
    fs::write(session.join("session.next"), b"half of a checkpoi").unwrap();
    // Checkbox's own code stops at this one, and then offers no session at all.
    let damaged = session.with_file_name("damaged.session");
    fs::create_dir(&damaged).unwrap();
    let whole = fs::read(session.join("session")).unwrap();
    fs::write(damaged.join("session"), &whole[..whole.len() / 2]).unwrap();
    place.resume(&session);
    assert_eq!(fs::read(session.join("session.aside-1")).unwrap(), b"half of a checkpoi");
    assert!(!session.join("session.next").exists());
    assert!(damaged.join("session").exists());
}
