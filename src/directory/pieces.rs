//! Payloads that go through in pieces.

use std::io::{self, Read};

use crate::checkpoint::{Digest, Digester};
use crate::error::{Error, Result};
use crate::stream::input_failed;
use crate::sys::{File, Outcome};

/// How much of a payload is in memory.
const PIECE: usize = 64 * 1024;

/// Writes what a source gives to a file, from there on. Gives its length and its digest.
pub(super) fn copy(source: &mut dyn Read, file: &File, at: u64) -> Result<(u64, Digest)> {
    let mut piece = Vec::with_capacity(PIECE);
    let mut done = Digester::default();
    loop {
        piece.clear();
        source.take(PIECE as u64).read_to_end(&mut piece).map_err(input_failed)?;
        if piece.is_empty() {
            return Ok((done.size(), done.digest()));
        }
        file.write_all_at(&[&piece], at + done.size())?;
        done.add(&piece);
    }
}

/// The digest of a part of a file.
pub(super) fn digest(file: &File, at: u64, len: u64) -> Outcome<Digest> {
    let mut piece = vec![0; PIECE.min(usize::try_from(len).unwrap_or(PIECE))];
    let mut done = Digester::default();
    while done.size() < len {
        let left = usize::try_from(len - done.size()).unwrap_or(PIECE);
        let piece = &mut piece[..left.min(PIECE)];
        // A hole is not read: whoever made it paid nothing for it.
        match file.extent(at + done.size())? {
            (false, end) if end - at - done.size() >= piece.len() as u64 => piece.fill(0),
            _ => file.fill_at(piece, at + done.size())?,
        }
        done.add(piece);
    }
    Ok(done.digest())
}

/// Whether the first so many bytes of a file are all zero.
pub(super) fn is_zero(file: &File, len: u64) -> Outcome<bool> {
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < len {
        let (is_data, end) = file.extent(at)?;
        let more = end.min(len) - at;
        if !is_data {
            at += more;
            continue;
        }
        let piece = &mut piece[..usize::try_from(more).unwrap_or(PIECE).min(PIECE)];
        file.fill_at(piece, at)?;
        if piece.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += piece.len() as u64;
    }
    Ok(true)
}

/// A part of a file, to be read.
#[derive(Debug)]
pub(super) struct Part {
    pub file: File,
    pub at: u64,
    pub end: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        self.file.fill_at(&mut buffer[..most], self.at).map_err(Error::from)?;
        self.at += most as u64;
        Ok(most)
    }
}
