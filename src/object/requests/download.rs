//! Reads records: payloads that are objects of their own.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::client::{PIECE, Store, Version};
use crate::checkpoint::{Digest, Digester};
use crate::error::Result;

/// Reads a version of a record from its beginning to its end.
pub(crate) struct Reader {
    store: Arc<Store>,
    key: String,
    version: Version,
    size: u64,
    at: u64,
    piece: Bytes,
}

impl Reader {
    /// `None` if there is no such record, or it has another size.
    pub(crate) fn open(store: &Arc<Store>, key: &str, size: u64) -> Result<Option<Self>> {
        let Some(first) = store.get_start(key, size.min(PIECE as u64).max(1))? else {
            return Ok(None);
        };
        if first.len != size {
            return Ok(None);
        }
        let (at, piece) = (first.bytes.len() as u64, first.bytes);
        let (store, key) = (store.clone(), key.to_owned());
        Ok(Some(Self { store, key, version: first.version, size, at, piece }))
    }

    /// The digest of all of it, which is kept in a file if there is one and it has room; `None` if it went meanwhile.
    pub(crate) fn digest(&mut self, spool: &mut Option<File>) -> Result<Option<Digest>> {
        let mut digest = Digester::default();
        while self.fill()? {
            digest.add(&self.piece);
            if spool.as_mut().is_some_and(|it| it.write_all(&self.piece).is_err()) {
                *spool = None;
            }
            self.piece.clear();
        }
        Ok((digest.size() == self.size).then(|| digest.digest()))
    }

    /// Gets the next piece if that is needed; whether there is one.
    fn fill(&mut self) -> Result<bool> {
        if self.piece.is_empty() && self.at < self.size {
            let part = self.at..self.size.min(self.at + PIECE as u64);
            if let Some(object) = self.store.get_part(&self.key, part, Some(&self.version))? {
                self.at += object.bytes.len() as u64;
                self.piece = object.bytes;
            }
        }
        Ok(!self.piece.is_empty())
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.fill()? {
            return Ok(0);
        }
        let len = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..len]);
        Ok(len)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", self.key)
    }
}
