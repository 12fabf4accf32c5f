//! Those in Python, each in a process of its own, which times what it does: the seed itself, PlainBox 0.4,
//! and Pitstop's package.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::Peer;

pub struct Python {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

pub fn seed(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    Ok(Box::new(start("seed", directory)?))
}

pub fn journal(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    Ok(Box::new(start("journal", directory)?))
}

pub fn plain(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    Ok(Box::new(start("plain", directory)?))
}

pub fn drop_in(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    Ok(Box::new(start("drop-in", directory)?))
}

/// Starts one that is to save in this directory.
pub fn start(kind: &str, directory: &Path) -> Result<Python> {
    let mut process = Command::new(python()?)
        .args(["-c", include_str!("python.py"), kind])
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = process.stdin.take().context("no standard input")?;
    let output = BufReader::new(process.stdout.take().context("no standard output")?);
    let mut python = Python { process, input, output };
    ensure!(python.line()?.trim() == "ready", "Python did not start");
    Ok(python)
}

impl Python {
    pub fn list(&mut self, directory: &Path) -> Result<Duration> {
        let directory = directory.to_str().context("a path that is no text")?;
        self.one(format!("list {directory}"))
    }

    fn one(&mut self, call: String) -> Result<Duration> {
        writeln!(self.input, "{call}")?;
        self.times()?.pop().context("Python did not say how long it took")
    }

    fn times(&mut self) -> Result<Vec<Duration>> {
        let line = self.line()?;
        line.split_whitespace().map(|time| Ok(Duration::from_nanos(time.parse()?))).collect()
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "Python has ended");
        Ok(line)
    }
}

impl Peer for Python {
    fn save(&mut self, state: &[u8]) -> Result<()> {
        self.save_all(&[state]).map(drop)
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        bail!("what Python loads stays where it is")
    }

    fn save_all(&mut self, states: &[&[u8]]) -> Result<Vec<Duration>> {
        let lengths: String = states.iter().map(|state| format!(" {}", state.len())).collect();
        writeln!(self.input, "save{lengths}")?;
        for state in states {
            self.input.write_all(state)?;
        }
        self.times()
    }

    fn timed_load(&mut self) -> Result<Duration> {
        self.one("load".to_owned())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Python of a virtual environment with PlainBox and Pitstop in it, which is made beside this program.
pub fn python() -> Result<PathBuf> {
    Ok(environment()?.join("bin/python"))
}

fn environment() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("python"))
}

/// Makes the environment, and puts Pitstop as it is now into it.
pub fn install() -> Result<()> {
    let (python, complete) = (python()?, environment()?.join("complete"));
    let install = ["-m", "pip", "install", "--no-deps", "--disable-pip-version-check"];
    if !complete.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment()?))?;
        run(Command::new(&python).args(install).arg("plainbox==0.4"))?;
        run(Command::new(&python).args(["-c", "import plainbox.impl.session.storage"]))?;
        std::fs::write(complete, "")?;
    }
    eprintln!("building the Python package");
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/python");
    run(Command::new(&python).args(install).arg("--force-reinstall").arg(package))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", said.trim_end().lines().last().unwrap_or_default());
    Ok(())
}
