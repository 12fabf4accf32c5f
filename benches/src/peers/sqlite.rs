//! SQLite, with a row that is replaced.

use std::path::Path;

use anyhow::Result;
use rusqlite::Connection;

use super::Peer;

struct Sqlite(Connection);

pub fn wal(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    open(directory, "WAL")
}

pub fn rollback(directory: &Path, _: usize) -> Result<Box<dyn Peer>> {
    open(directory, "DELETE")
}

fn open(directory: &Path, mode: &str) -> Result<Box<dyn Peer>> {
    let connection = Connection::open(directory.join("state.db"))?;
    connection.pragma_update(None, "journal_mode", mode)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute("CREATE TABLE state (id INTEGER PRIMARY KEY, data BLOB)", [])?;
    Ok(Box::new(Sqlite(connection)))
}

impl Peer for Sqlite {
    fn save(&mut self, state: &[u8]) -> Result<()> {
        let mut save = self.0.prepare_cached("INSERT OR REPLACE INTO state VALUES (1, ?)")?;
        save.execute([state])?;
        Ok(())
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        let mut load = self.0.prepare_cached("SELECT data FROM state")?;
        Ok(load.query_row([], |row| row.get(0))?)
    }
}
