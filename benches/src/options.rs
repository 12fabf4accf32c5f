//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::peers::{self, Kind};

const USAGE: &str = "\
usage: pitstop-benches [--quick] [--directory DIR] [--peers WORD,...] [WORK ...]

--quick       about a minute instead of several
--directory   where the files go, on the disk that is to be measured (or $PITSTOP_BENCH_DIRECTORY;
              else target/ in the current directory)
--peers       only those whose names have one of these words in them, and the bare disk
WORK          save, change, growth, json, load, threads, list, device; else all";

pub struct Options {
    pub quick: bool,
    pub works: Vec<String>,
    pub peers: Vec<Kind>,
    /// Removed with all that is in it when the program ends.
    pub scratch: TempDir,
}

impl Options {
    pub fn from_arguments() -> Result<Self> {
        let (mut quick, mut works, mut words) = (false, Vec::new(), Vec::new());
        let mut directory = std::env::var_os("PITSTOP_BENCH_DIRECTORY").map(PathBuf::from);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => quick = true,
                "--directory" => directory = Some(arguments.next().context(USAGE)?.into()),
                "--peers" => {
                    let list = arguments.next().context(USAGE)?;
                    words = list.split(',').map(str::to_owned).collect();
                }
                work if !work.starts_with('-') => works.push(argument),
                _ => bail!(USAGE),
            }
        }
        let directory = std::path::absolute(directory.unwrap_or_else(|| "target".into()))?;
        std::fs::create_dir_all(&directory)?;
        let scratch = tempfile::Builder::new().prefix("benches-").tempdir_in(directory)?;
        Ok(Self { quick, works, peers: peers::available(&words), scratch })
    }

    /// The first number in a full run, the second in a quick one.
    pub fn times(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}
