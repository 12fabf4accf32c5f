//! What most programs do that take care: a new file, flushed, a rename, and the directory flushed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::NamedTempFile;

use super::Peer;

struct Tempfile {
    path: PathBuf,
    directory: File,
}

pub fn open(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    let path = directory.join("state");
    Ok(Box::new(Tempfile { path, directory: File::open(directory)? }))
}

impl Peer for Tempfile {
    fn save(&mut self, state: &[u8]) -> Result<()> {
        let place = self.path.parent().unwrap_or(&self.path);
        let mut file = NamedTempFile::new_in(place)?;
        file.write_all(state)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(self.directory.sync_all()?)
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        Ok(fs::read(&self.path)?)
    }
}
