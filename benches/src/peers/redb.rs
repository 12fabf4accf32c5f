//! redb, with one key and a commit that is durable at once.

use std::path::Path;

use anyhow::{Context, Result};
use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use super::Peer;

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("state");

struct Redb(Database);

pub fn open(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    Ok(Box::new(Redb(Database::create(directory.join("state.redb"))?)))
}

impl Peer for Redb {
    fn save(&mut self, state: &[u8]) -> Result<()> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.open_table(TABLE)?.insert(1, state)?;
        Ok(transaction.commit()?)
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        let state = table.get(1)?.context("nothing was saved")?;
        Ok(state.value().to_vec())
    }
}
