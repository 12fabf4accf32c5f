//! A place to run the command in, with nothing of the machine's environment.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pitstop::Repository;
use tempfile::TempDir;

pub(super) const PITSTOP: &str = env!("CARGO_BIN_EXE_pitstop");

pub(super) struct Environment {
    directory: TempDir,
}

impl Environment {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// The directory of this test.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn location(&self) -> PathBuf {
        self.path().join("sessions")
    }

    pub(super) fn repository(&self) -> Repository {
        Repository::open(self.location()).unwrap()
    }

    /// A program in this environment.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.path().join("home"))
            .env("TZ", "UTC")
            .env("PITSTOP_REPOSITORY", self.location())
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs `pitstop` with these words.
    pub(super) fn run<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Ended {
        self.ended(self.command(PITSTOP).args(words).output().unwrap())
    }

    /// Runs `pitstop` with these words and this standard input.
    pub(super) fn feed<const N: usize>(&self, input: &[u8], words: [&str; N]) -> Ended {
        let mut command = self.command(PITSTOP);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that knows already that it will fail does not read.
        let _ = child.stdin.take().unwrap().write_all(input);
        self.ended(child.wait_with_output().unwrap())
    }

    /// Runs a line of shell, in which `$P` is `pitstop`.
    pub(super) fn shell(&self, line: &str) -> Ended {
        self.ended(self.command("sh").args(["-c", line]).env("P", PITSTOP).output().unwrap())
    }

    /// Runs a line of shell in a mount namespace of its own, or says why that cannot be.
    pub(super) fn shell_with_mounts(&self, line: &str) -> Option<Ended> {
        let may = self.command("unshare").args(["-rm", "true"]).output();
        if !may.is_ok_and(|it| it.status.success()) {
            eprintln!("skipped: no mounts can be made here (unshare -rm)");
            return None;
        }
        let mut command = self.command("unshare");
        command.args(["-rm", "sh", "-ec", line]).env("P", PITSTOP);
        Some(self.ended(command.output().unwrap()))
    }

    pub(super) fn ended(&self, output: Output) -> Ended {
        let text = |bytes| self.filtered(&String::from_utf8_lossy(bytes));
        Ended {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
            bytes: output.stdout,
        }
    }

    /// The text without what differs from run to run: paths, process ids and revisions.
    fn filtered(&self, text: &str) -> String {
        let text = text.replace(&*self.path().to_string_lossy(), "$DIR");
        let text = text.replace(&format!("pid {}", std::process::id()), "pid PID");
        let mut filtered = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find('~') {
            let digits = rest[at + 1..].chars().take_while(char::is_ascii_hexdigit).count();
            filtered += &rest[..at];
            filtered += if digits == 16 { "~REVISION" } else { &rest[at..at + 1 + digits] };
            rest = &rest[at + 1 + digits..];
        }
        filtered + rest
    }
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
    pub(super) bytes: Vec<u8>,
}

impl Ended {
    /// It ended with this code.
    #[track_caller]
    pub(super) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// It said exactly this on standard error.
    #[track_caller]
    pub(super) fn says(self, text: &str) -> Self {
        let lines: Vec<_> = text.trim().lines().map(str::trim).collect();
        assert_eq!(self.err.trim_end(), lines.join("\n"), "{self}");
        self
    }

    /// It printed exactly this.
    #[track_caller]
    pub(super) fn prints(self, text: &str) -> Self {
        assert_eq!(self.out, text, "{self}");
        self
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {:?}\nout: {}\nerr: {}", self.code, self.out, self.err)
    }
}
