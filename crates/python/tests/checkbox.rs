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

    /// Resumes it in a new process, which has to finish. Returns what that said.
    fn resume(&self, session: &Path) -> String {
        let id = session.file_stem().unwrap().to_str().unwrap();
        let output = self.checkbox(&["--resume", id]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let ran = fs::read_to_string(session.join("session-share/ran")).unwrap();
        assert_eq!(ran, "first\nsecond\nthird\n");
        said
    }

    /// A session with this checkpoint.
    fn broken(&self, name: &str, checkpoint: &[u8]) {
        let session = self.scratch.path().join("base/sessions").join(format!("{name}.session"));
        fs::create_dir(&session).unwrap();
        fs::write(session.join("session"), checkpoint).unwrap();
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

/// Fourteen sessions that can be resumed, three that are broken in different ways, and one that was never saved.
#[test]
fn of_many_sessions_those_that_cannot_be_resumed_are_named_with_their_reasons() {
    let Some(place) = Place::new() else { return };
    let first = place.kill_in_the_second_job();
    let mut good = vec![first.clone()];
    for number in 1..14 {
        let copy = first.with_file_name(format!("copy-{number}.session"));
        run(Command::new("cp").arg("-a").arg(&first).arg(&copy)).unwrap();
        good.push(copy);
    }
    let whole = fs::read(first.join("session")).unwrap();
    place.broken("cut", &whole[..whole.len() / 2]);
    place.broken("not-json", &gzip(b"{half"));
    place.broken("newer", &gzip(br#"{"session": {}, "version": 99}"#));
    fs::create_dir(first.with_file_name("never-saved.session")).unwrap();
    for session in &good {
        let said = place.resume(session);
        for (name, reason) in [
            ("cut", "Compressed file ended before the end-of-stream marker was reached"),
            ("not-json", "Cannot interpret session JSON"),
            ("newer", "99"),
            ("never-saved", "never saved"),
        ] {
            let named =
                |line: &&str| line.contains(&format!("{name}.session")) && line.contains(reason);
            assert!(said.lines().any(|line| named(&line)), "{name} is not named in {said}");
        }
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut python = Command::new("python3");
    let program = "import gzip, sys; sys.stdout.buffer.write(gzip.compress(sys.argv[1].encode()))";
    python.args(["-c", program, std::str::from_utf8(data).unwrap()]).output().unwrap().stdout
}
