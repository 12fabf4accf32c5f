//! Pitstop, in both of its formats, by a writer that is kept.

use std::path::Path;

use anyhow::Result;
use pitstop::{Format, Repository, Writer};

use super::Peer;

struct Pitstop(Writer);

pub fn journal(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    open(directory, Format::Journal)
}

pub fn plain(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    open(directory, Format::Plain)
}

fn open(directory: &Path, format: Format) -> Result<Box<dyn Peer>> {
    let repository = Repository::open(directory)?.with_format(format);
    Ok(Box::new(Pitstop(repository.get_or_create("state")?.writer()?)))
}

impl Peer for Pitstop {
    fn save(&mut self, state: &[u8]) -> Result<()> {
        self.0.save(state)?;
        Ok(())
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        Ok(self.0.session().load()?.data)
    }
}
