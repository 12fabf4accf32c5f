//! A process of the real PlainBox 0.4.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

/// A PlainBox that does what it is told. It is ended when this is dropped.
pub(super) struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// `None` where PlainBox cannot be installed, which in CI is a failure.
    pub(super) fn start(directory: &Path) -> Option<Self> {
        static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let python = match PYTHON.get_or_init(install) {
            Ok(python) => python,
            Err(reason) if std::env::var_os("CI").is_some() => {
                panic!("PlainBox 0.4 cannot be installed: {reason}")
            }
            Err(reason) => {
                // Past the test harness, which shows nothing of a test that passes.
                let _ = writeln!(std::io::stderr(), "skipped, there is no PlainBox 0.4: {reason}");
                return None;
            }
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plainbox/peer.py");
        let mut process = Command::new(python)
            .arg(script)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut peer = Self { process, input, output };
        assert_eq!(peer.answer(), json!({"ok": "ready"}));
        Some(peer)
    }

    pub(super) fn call(&mut self, call: Value) -> Value {
        self.tell(call);
        self.answer()
    }

    fn tell(&mut self, call: Value) {
        writeln!(self.input, "{call}").unwrap();
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("PlainBox said {line:?}"))
    }

    #[track_caller]
    fn result(&mut self, call: Value) -> Value {
        let mut answer = self.call(call);
        assert!(answer.get("ok").is_some(), "PlainBox failed: {answer}");
        answer["ok"].take()
    }

    pub(super) fn create(&mut self, base: &Path, legacy: bool) -> PathBuf {
        let call = json!({"do": "create", "base": base, "legacy": legacy});
        self.result(call).as_str().unwrap().into()
    }

    pub(super) fn list(&mut self, base: &Path) -> Vec<PathBuf> {
        let list = self.result(json!({"do": "list", "base": base}));
        list.as_array().unwrap().iter().map(|it| it.as_str().unwrap().into()).collect()
    }

    pub(super) fn last(&mut self, base: &Path) -> Option<PathBuf> {
        self.result(json!({"do": "last", "base": base})).as_str().map(PathBuf::from)
    }

    pub(super) fn load(&mut self, location: &Path) -> Vec<u8> {
        let hex = self.result(json!({"do": "load", "location": location}));
        let digits: Vec<u8> =
            hex.as_str().unwrap().chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    pub(super) fn save(&mut self, location: &Path, data: &[u8]) {
        let call = json!({"do": "save", "location": location, "data": hex(data)});
        assert_eq!(self.result(call), Value::Null);
    }

    /// Is killed after it wrote half of the data.
    pub(super) fn die_in_save(mut self, location: &Path, data: &[u8]) {
        self.tell(json!({"do": "die_in_save", "location": location, "data": hex(data)}));
        assert!(!self.process.wait().unwrap().success());
    }

    /// Returns when the data is written and not yet flushed; [`go_on`](Self::go_on) ends the save.
    pub(super) fn begin_to_save(&mut self, location: &Path, data: &[u8]) {
        let call = json!({"do": "save_slowly", "location": location, "data": hex(data)});
        assert_eq!(self.result(call), json!("about to flush"));
    }

    pub(super) fn go_on(&mut self) -> Value {
        self.call(json!("go on"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn hex(data: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    data.iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// Makes a virtual environment with PlainBox in it, once for all runs, and returns its Python.
fn install() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = target.join("plainbox-0.4");
    let (python, complete) = (place.join("bin/python"), place.join("complete"));
    let error = |error: std::io::Error| error.to_string();
    fs::create_dir_all(target).map_err(error)?;
    // One process at a time; the lock ends with the file.
    let lock = File::create(target.join("plainbox-0.4.lock")).map_err(error)?;
    lock.lock().map_err(error)?;
    if complete.exists() {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
    // Its own code needs nothing else, as long as no report is made of it.
    let pip = ["-m", "pip", "install", "--no-deps", "--disable-pip-version-check", "plainbox==0.4"];
    run(Command::new(&python).args(pip))?;
    run(Command::new(&python).args(["-c", "import plainbox.impl.session.storage"]))?;
    File::create(complete).map_err(error)?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{command:?}: {last}"))
}
