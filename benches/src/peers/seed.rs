//! The seed itself: PlainBox 0.4 in a Python of its own, which times what it does.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::Peer;

pub struct Seed {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

pub fn open(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    Ok(Box::new(start(directory)?))
}

pub fn start(directory: &Path) -> Result<Seed> {
    let mut process = Command::new(python()?)
        .args(["-c", include_str!("seed.py")])
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = process.stdin.take().context("no standard input")?;
    let output = BufReader::new(process.stdout.take().context("no standard output")?);
    let mut seed = Seed { process, input, output };
    ensure!(seed.line()?.trim() == "ready", "the seed did not start");
    Ok(seed)
}

impl Seed {
    pub fn list(&mut self, directory: &Path) -> Result<Duration> {
        let directory = directory.to_str().context("a path that is no text")?;
        self.one(format!("list {directory}"))
    }

    fn one(&mut self, call: String) -> Result<Duration> {
        writeln!(self.input, "{call}")?;
        self.times()?.pop().context("the seed did not say how long it took")
    }

    fn times(&mut self) -> Result<Vec<Duration>> {
        let line = self.line()?;
        line.split_whitespace().map(|time| Ok(Duration::from_nanos(time.parse()?))).collect()
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "the seed has ended");
        Ok(line)
    }
}

impl Peer for Seed {
    fn save(&mut self, state: &[u8]) -> Result<()> {
        self.save_all(&[state]).map(drop)
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        bail!("the seed's states stay where they are")
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

impl Drop for Seed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Python of a virtual environment with PlainBox in it, which is made beside this program.
pub fn python() -> Result<PathBuf> {
    let place = std::env::current_exe()?.with_file_name("plainbox-0.4");
    let (python, complete) = (place.join("bin/python"), place.join("complete"));
    if !complete.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
        let install = ["-m", "pip", "install", "--no-deps", "--disable-pip-version-check"];
        run(Command::new(&python).args(install).arg("plainbox==0.4"))?;
        run(Command::new(&python).args(["-c", "import plainbox.impl.session.storage"]))?;
        std::fs::write(complete, "")?;
    }
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", said.trim_end().lines().last().unwrap_or_default());
    Ok(())
}
