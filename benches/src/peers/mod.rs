//! Those that are measured: each keeps one state, and has it on stable storage when a save returns.

mod bare;
mod fjall;
mod lmdb;
mod pitstop;
pub mod python;
mod redb;
mod sqlite;
mod tempfile;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

pub trait Peer: Send {
    fn save(&mut self, state: &[u8]) -> Result<()>;

    /// Ends in order, but for loading.
    fn end(&mut self) {}

    /// The state that was saved last, in memory of its own.
    fn load(&mut self) -> Result<Vec<u8>>;

    /// Saves one state after the other, and says how long each took.
    fn save_all(&mut self, states: &[&[u8]]) -> Result<Vec<Duration>> {
        let timed = |state: &&[u8]| {
            let start = Instant::now();
            self.save(state)?;
            Ok(start.elapsed())
        };
        states.iter().map(timed).collect()
    }

    fn timed_load(&mut self) -> Result<Duration> {
        let start = Instant::now();
        let state = self.load()?;
        let elapsed = start.elapsed();
        drop(state);
        Ok(elapsed)
    }
}

/// A kind of peer: how it is called, and how one is made in an empty directory, for states of up to
/// so many bytes.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    pub open: fn(&Path, usize) -> Result<Box<dyn Peer>>,
}

pub const BARE: Kind = Kind { name: "bare disk", open: bare::open };

const ALL: [Kind; 14] = [
    BARE,
    Kind { name: "Pitstop journal", open: pitstop::journal },
    Kind { name: "Pitstop plain", open: pitstop::plain },
    Kind { name: "Pitstop journal (Python)", open: python::journal },
    Kind { name: "Pitstop plain (Python)", open: python::plain },
    Kind { name: "Pitstop drop-in (Python)", open: python::drop_in },
    Kind { name: "seed (Python)", open: python::seed },
    Kind { name: "tempfile", open: tempfile::open },
    Kind { name: "SQLite WAL", open: sqlite::wal },
    Kind { name: "SQLite rollback", open: sqlite::rollback },
    Kind { name: "redb", open: redb::open },
    Kind { name: "LMDB", open: lmdb::open },
    Kind { name: "fjall", open: fjall::open },
    Kind { name: "bare disk again", open: bare::open },
];

/// The peers that can run here. The bare disk is always among them.
pub fn available(only: &[String]) -> Vec<Kind> {
    let asked =
        |kind: &Kind| only.is_empty() || only.iter().any(|word| kind.name.contains(word.as_str()));
    let mut kinds: Vec<Kind> =
        ALL.into_iter().filter(|kind| kind.name == BARE.name || asked(kind)).collect();
    let is_python = |kind: &Kind| kind.name.ends_with("(Python)");
    if kinds.iter().any(is_python)
        && let Err(reason) = python::install()
    {
        eprintln!(
            "Python is left out, for PlainBox 0.4 or Pitstop cannot be installed: {reason:#}"
        );
        kinds.retain(|kind| !is_python(kind));
    }
    kinds
}
