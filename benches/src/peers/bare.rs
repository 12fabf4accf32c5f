//! The bare disk: the least that a durable save can be, blocks written over in place and one flush.
//! It keeps no older state, and a crash leaves a mixture of two.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Result;

use super::Peer;

struct Bare {
    file: File,
    len: usize,
}

pub fn open(directory: &Path, most: usize) -> Result<Box<dyn Peer>> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).open(directory.join("state"))?;
    // Not zeros: memory that was never touched makes the system cache the file in the smallest pieces.
    file.write_all_at(&vec![1; most.next_multiple_of(4096)], 0)?;
    file.sync_all()?;
    Ok(Box::new(Bare { file, len: 0 }))
}

impl Peer for Bare {
    fn save(&mut self, state: &[u8]) -> Result<()> {
        self.file.write_all_at(state, 0)?;
        self.file.sync_data()?;
        self.len = state.len();
        Ok(())
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        let mut state = vec![0; self.len];
        self.file.read_exact_at(&mut state, 0)?;
        Ok(state)
    }
}
