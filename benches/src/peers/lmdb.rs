//! LMDB, with one key and its default of flushing at each commit.

use std::path::Path;

use anyhow::{Context, Result};
use heed::types::Bytes;
use heed::{Database, Env, EnvOpenOptions};

use super::Peer;

struct Lmdb {
    environment: Env,
    database: Database<Bytes, Bytes>,
}

pub fn open(directory: &Path, most: usize) -> Result<Box<dyn Peer>> {
    let map = (8 * most).max(64 << 20).next_multiple_of(1 << 20);
    // Safety: nobody else opens this file, in this process or another.
    let environment = unsafe { EnvOpenOptions::new().map_size(map).open(directory)? };
    let mut transaction = environment.write_txn()?;
    let database = environment.create_database(&mut transaction, None)?;
    transaction.commit()?;
    Ok(Box::new(Lmdb { environment, database }))
}

impl Peer for Lmdb {
    fn save(&mut self, state: &[u8]) -> Result<()> {
        let mut transaction = self.environment.write_txn()?;
        self.database.put(&mut transaction, b"state", state)?;
        Ok(transaction.commit()?)
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        let transaction = self.environment.read_txn()?;
        let state = self.database.get(&transaction, b"state")?.context("nothing was saved")?;
        Ok(state.to_vec())
    }
}
