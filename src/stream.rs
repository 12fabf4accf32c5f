//! Checkpoints that are larger than memory, on their way in and out.

use std::fmt;
use std::io::{self, Cursor, Read};

use crate::checkpoint::{CheckpointInfo, Digester};
use crate::error::{Damage, Error, Result};

/// Up to this size a checkpoint is taken into memory without asking; larger ones go in pieces.
pub(crate) const IN_MEMORY: usize = 8 << 20;

/// What is to be saved: all of it, or the beginning and where the rest comes from.
pub(crate) enum Input<R> {
    Small(Vec<u8>),
    Large(io::Chain<Cursor<Vec<u8>>, R>),
}

impl<R: Read> Input<R> {
    pub(crate) fn begin(mut source: R) -> Result<Self> {
        let mut head = Vec::new();
        let most = IN_MEMORY + 1;
        // All at once: growing it little by little takes twice as much.
        head.try_reserve_exact(most)
            .map_err(|_| input_failed(io::ErrorKind::OutOfMemory.into()))?;
        (&mut source).take(most as u64).read_to_end(&mut head).map_err(input_failed)?;
        Ok(match head.len() {
            0..=IN_MEMORY => Self::Small(head),
            _ => Self::Large(Cursor::new(head).chain(source)),
        })
    }
}

/// Memory of the caller's, that a checkpoint is [loaded into](crate::Session::load_into) at once.
pub trait Buffer {
    /// Makes room for so many bytes, in the place of what was there before, and calls `fill` with it, whose
    /// error it hands on.
    ///
    /// It is called again where what came turned out to be damaged or to have changed meanwhile: what the
    /// last call got counts, and only if the load succeeds.
    fn make(
        &mut self,
        size: usize,
        fill: &mut (dyn FnMut(&mut [u8]) -> Result<()> + Send),
    ) -> Result<()>;
}

impl Buffer for Vec<u8> {
    fn make(
        &mut self,
        size: usize,
        fill: &mut (dyn FnMut(&mut [u8]) -> Result<()> + Send),
    ) -> Result<()> {
        // Fresh memory is zero already: nothing is written twice.
        *self = vec![0; size];
        fill(self)
    }
}

/// Loads what is in memory already.
pub(crate) fn copy_into(buffer: &mut dyn Buffer, data: &[u8]) -> Result<()> {
    buffer.make(data.len(), &mut |room| {
        room.copy_from_slice(data);
        Ok(())
    })
}

/// Tells of each piece that is read.
pub(crate) struct Watched<R, F> {
    source: R,
    seen: F,
}

impl<R: Read, F: FnMut(u64)> Watched<R, F> {
    pub(crate) fn new(source: R, seen: F) -> Self {
        Self { source, seen }
    }
}

impl<R: Read, F: FnMut(u64)> Read for Watched<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        (self.seen)(read as u64);
        Ok(read)
    }
}

/// The error of a checkpoint that was the input is one of its own.
pub(crate) fn of_input(error: Error) -> Error {
    match error {
        Error::Input { source } => {
            source.downcast().unwrap_or_else(|source| Error::Input { source })
        }
        error => error,
    }
}

pub(crate) fn input_failed(source: io::Error) -> Error {
    Error::Input { source }
}

/// Reads a checkpoint that was found to be whole, in any pieces.
///
/// It stays the same checkpoint, whatever is saved meanwhile, as long as its revision is kept. The
/// last bytes are given only after the digest of all that was read is seen to be right: where the
/// checkpoint was given up and written over while it was read, or was damaged, the read that would
/// give them fails instead, with an [`io::Error`] that holds an [`Error::Corrupt`].
pub struct CheckpointReader {
    info: CheckpointInfo,
    source: Box<dyn Read + Send>,
    left: u64,
    digest: Digester,
}

impl CheckpointReader {
    /// For a backend: `source` gives the bytes of the checkpoint, and was checked once.
    pub fn new(info: CheckpointInfo, source: impl Read + Send + 'static) -> Self {
        let (source, left) = (Box::new(source), info.size);
        Self { info, source, left, digest: Digester::default() }
    }

    /// What is known of the checkpoint.
    pub fn info(&self) -> &CheckpointInfo {
        &self.info
    }

    /// How many bytes are still to be read.
    pub fn left(&self) -> u64 {
        self.left
    }

    fn changed(&self) -> io::Error {
        let revision = self.info.revision;
        Error::Corrupt {
            path: format!("revision {revision}").into(),
            damage: Damage::Changed,
            newest_good: None,
        }
        .into()
    }
}

impl Read for CheckpointReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let read = self.source.read(&mut buffer[..most])?;
        self.digest.add(&buffer[..read]);
        self.left -= read as u64;
        let is_whole = self.left > 0 || self.digest.digest() == self.info.digest;
        if read == 0 || !is_whole {
            // Nor does a caller who tries again get it.
            self.left = self.left.max(1);
            return Err(self.changed());
        }
        Ok(read)
    }
}

impl fmt::Debug for CheckpointReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointReader").field("info", &self.info).finish_non_exhaustive()
    }
}
