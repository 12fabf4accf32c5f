//! fjall, with one key and its log flushed after each insert.

use std::path::Path;

use anyhow::{Context, Result};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::Peer;

struct Fjall {
    database: Database,
    states: Keyspace,
}

pub fn open(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    let database = Database::builder(directory).open()?;
    let states = database.keyspace("states", KeyspaceCreateOptions::default)?;
    Ok(Box::new(Fjall { database, states }))
}

impl Peer for Fjall {
    fn save(&mut self, state: &[u8]) -> Result<()> {
        self.states.insert("state", state)?;
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        Ok(self.states.get("state")?.context("nothing was saved")?.to_vec())
    }
}
