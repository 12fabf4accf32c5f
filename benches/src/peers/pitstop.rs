//! Pitstop, in both of its formats, by a writer that is kept.

use std::path::Path;

use anyhow::{Context, Result};
use pitstop::{Format, Repository, Session, Writer};

use super::Peer;

struct Pitstop {
    session: Session,
    writer: Option<Writer>,
}

pub fn journal(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    open(directory, Format::Journal)
}

pub fn plain(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    open(directory, Format::Plain)
}

fn open(directory: &Path, format: Format) -> Result<Box<dyn Peer>> {
    let repository = Repository::open(directory)?.with_format(format);
    let session = repository.get_or_create("state")?;
    let writer = Some(session.writer()?);
    Ok(Box::new(Pitstop { session, writer }))
}

impl Peer for Pitstop {
    fn save(&mut self, state: &[u8]) -> Result<()> {
        self.writer.as_mut().context("it has ended")?.save(state)?;
        Ok(())
    }

    fn end(&mut self) {
        self.writer = None;
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        Ok(self.session.load()?.data)
    }
}
