//! Files, with their errors named.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::failure::{Failure, Outcome};
use super::on_behalf;
use super::seam::{Ask, Dated, Metadata, RawFile};
use crate::error::Step;

/// An open regular file and where it was found.
#[derive(Debug)]
pub(crate) struct File {
    pub(super) raw: Box<dyn RawFile>,
    pub(super) path: PathBuf,
}

impl File {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file of this size, and takes no more memory than that.
    #[track_caller]
    pub(crate) fn read(&self, size: u64) -> Outcome<Vec<u8>> {
        self.here(Step::Read, || {
            let size = usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.exactly(0, size)
        })
    }

    /// So many bytes from there on.
    #[track_caller]
    pub(crate) fn read_at(&self, offset: u64, len: usize) -> Outcome<Vec<u8>> {
        self.here(Step::Read, || self.exactly(offset, len))
    }

    /// That the file ends before is an error.
    fn exactly(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        data.try_reserve_exact(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        while data.len() < len {
            let at = offset + data.len() as u64;
            if self.raw.append_at(&mut data, at)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        data.truncate(len);
        Ok(data)
    }

    #[track_caller]
    pub(crate) fn write_all(&self, data: &[u8]) -> Outcome<()> {
        self.write_all_at(&[data], 0)
    }

    /// Fills a buffer from there on. That the file ends before is an error.
    #[track_caller]
    pub(crate) fn fill_at(&self, buffer: &mut [u8], offset: u64) -> Outcome<()> {
        self.here(Step::Read, || self.fill_raw(buffer, offset))
    }

    fn fill_raw(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.raw.read_at(buffer, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => {
                    offset += n as u64;
                    buffer = &mut buffer[n..];
                }
            }
        }
        Ok(())
    }

    /// Writes the parts one behind the other, in one call unless the system cuts it short.
    #[track_caller]
    pub(crate) fn write_all_at(&self, parts: &[&[u8]], offset: u64) -> Outcome<()> {
        self.here(Step::Write, || self.write_raw(parts, offset))
    }

    fn write_raw(&self, parts: &[&[u8]], mut offset: u64) -> io::Result<()> {
        let mut buffers: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut left = &mut buffers[..];
        // Empty parts go first, so that nothing is written where nothing is left.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match self.raw.write_at(left, offset)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => {
                    offset += n as u64;
                    IoSlice::advance_slices(&mut left, n);
                }
            }
        }
        Ok(())
    }

    #[track_caller]
    pub(crate) fn set_len(&self, len: u64) -> Outcome<()> {
        self.here(Step::Write, || self.raw.set_len(len))
    }

    #[track_caller]
    pub(crate) fn set_modified(&self, time: SystemTime) -> Outcome<()> {
        self.here(Step::SetTime, || self.raw.set_modified(time))
    }

    #[track_caller]
    pub(crate) fn metadata(&self) -> Outcome<Metadata> {
        Ok(self.here(Step::Inspect, || self.raw.metadata(Ask::Metadata))?.metadata)
    }

    /// The same, with its times: see [`Ask`].
    #[track_caller]
    pub(crate) fn dated(&self) -> Outcome<Dated> {
        self.here(Step::Inspect, || self.raw.metadata(Ask::Times))
    }

    /// Makes the content and the length of this file durable, but not its name.
    #[track_caller]
    pub(crate) fn sync(&self) -> Outcome<()> {
        self.here(Step::Flush, || self.raw.sync())
    }

    /// Makes the content durable. Cheaper than [`sync`](Self::sync) where the length stays.
    #[track_caller]
    pub(crate) fn sync_data(&self) -> Outcome<()> {
        self.here(Step::Flush, || self.raw.sync_data())
    }

    #[track_caller]
    pub(crate) fn try_lock(&self) -> Outcome<bool> {
        self.here(Step::Lock, || self.raw.try_lock())
    }

    #[track_caller]
    pub(crate) fn unlock(&self) -> Outcome<()> {
        self.here(Step::Unlock, || self.raw.unlock())
    }

    #[track_caller]
    pub(crate) fn is_locked(&self) -> Outcome<bool> {
        self.here(Step::Lock, || self.raw.is_locked())
    }

    #[track_caller]
    fn here<T>(&self, step: Step, call: impl FnOnce() -> io::Result<T>) -> Outcome<T> {
        on_behalf(call).map_err(|source| Failure { step, path: self.path.clone(), source })
    }
}
