//! Writing an archive.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tar::{Builder, EntryType, Header};

use super::{END, End, FILES, FILES_END, FilesDigest, HEAD, Head, OWNER_EXECUTES, checkpoint_name};
use crate::copy::{Origin, Original, Outline, Progress};
use crate::error::{Error, Result};
use crate::files::{Entry, Files, PassedOver, piece};
use crate::revision::Revision;
use crate::session::Session;
use crate::stream::Watched;
use crate::sys::File;

/// What was written into an archive.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Exported {
    /// How many revisions.
    pub revisions: usize,
    /// How many of the program's own files.
    pub files: usize,
    /// The revisions that are damaged, and are not in it. The newest is never among them.
    pub damaged: Vec<Revision>,
    /// What of the session's directory is not in it.
    #[serde(rename = "skipped_files")]
    pub passed_over: Vec<PassedOver>,
}

impl Session {
    /// Writes this session into a single file, a tar archive: its history, and its directory's own files.
    /// [`Repository::import`](crate::Repository::import) makes a session of it, on any machine.
    /// `progress` is told again and again how far it is. Neither takes more memory than a few pieces.
    ///
    /// No lock is taken, and the program may go on saving; of files that are being written it takes what
    /// it finds.
    ///
    /// # Durability
    /// That of `to`, which is flushed as [`Write::flush`] does.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be written. [`Error::Corrupt`] if the newest checkpoint is damaged:
    /// see [`restore`](Self::restore). After any, what was written is not a whole archive, and no import
    /// takes it for one.
    pub fn export(&self, to: impl Write, progress: impl FnMut(&Progress)) -> Result<Exported> {
        let (mut original, outline) = Original::of(self)?;
        let total = outline.size_of_files + outline.revisions.iter().map(|it| it.size).sum::<u64>();
        let mut export = Export {
            archive: Builder::new(to),
            progress,
            at: Progress { session: self.id().clone(), done: 0, total },
            exported: Exported::default(),
        };
        let mut digest = FilesDigest::default();
        digest.add(&export.json(HEAD, &Head::of(&outline))?);
        export.files(original.files.as_ref(), digest)?;
        export.checkpoints(&mut original, &outline)?;
        let mut to = export.archive.into_inner().map_err(failed)?;
        to.flush().map_err(failed)?;
        Ok(Exported { damaged: original.damaged, ..export.exported })
    }
}

struct Export<W: Write, P> {
    archive: Builder<W>,
    progress: P,
    at: Progress,
    exported: Exported,
}

impl<W: Write, P: FnMut(&Progress)> Export<W, P> {
    fn json(&mut self, name: &str, value: &impl Serialize) -> Result<Vec<u8>> {
        let mut json = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
        json.push(b'\n');
        let mut header = header(EntryType::Regular, json.len() as u64, SystemTime::now());
        self.archive.append_data(&mut header, name, json.as_slice()).map_err(failed)?;
        Ok(json)
    }

    fn files(&mut self, files: Option<&Files>, mut digest: FilesDigest) -> Result<()> {
        if let Some(files) = files {
            self.exported.passed_over = files.walk(&mut |path, entry| {
                let name = Path::new(FILES).join(path);
                match entry {
                    Entry::Directory => {
                        digest.begin(EntryType::Directory, path, 0);
                        let mut header = header(EntryType::Directory, 0, UNIX_EPOCH);
                        self.archive.append_data(&mut header, name, io::empty()).map_err(failed)
                    }
                    Entry::Link(target) => {
                        digest.begin(EntryType::Symlink, path, target.len() as u64);
                        digest.add(target.as_encoded_bytes());
                        let mut header = header(EntryType::Symlink, 0, UNIX_EPOCH);
                        self.archive.append_link(&mut header, name, target).map_err(failed)
                    }
                    Entry::File(file) => {
                        self.exported.files += 1;
                        self.file(path, &name, file, &mut digest)
                    }
                }
            })?;
        }
        self.json(FILES_END, &digest.end()).map(drop)
    }

    fn file(
        &mut self,
        path: &Path,
        name: &Path,
        file: &File,
        digest: &mut FilesDigest,
    ) -> Result<()> {
        let metadata = file.dated()?;
        digest.begin(EntryType::Regular, path, metadata.size);
        let (progress, at) = (&mut self.progress, &mut self.at);
        let pieces = Pieces {
            file,
            at: 0,
            size: metadata.size,
            seen: |piece: &[u8]| {
                digest.add(piece);
                at.done += piece.len() as u64;
                progress(at);
            },
            piece: Vec::new(),
        };
        let mut header = header(EntryType::Regular, metadata.size, metadata.modified);
        if metadata.is_executable {
            header.set_mode(0o600 | OWNER_EXECUTES);
        }
        self.archive.append_data(&mut header, name, pieces).map_err(failed)
    }

    fn checkpoints(&mut self, original: &mut Original<'_>, outline: &Outline) -> Result<()> {
        for (n, info) in outline.revisions.iter().enumerate() {
            let is_newest = n + 1 == outline.revisions.len();
            let Some(checkpoint) = original.open(info, is_newest)? else { continue };
            let mut header = header(EntryType::Regular, info.size, info.saved);
            let name = checkpoint_name(info);
            let (progress, at) = (&mut self.progress, &mut self.at);
            let checkpoint = Watched::new(checkpoint, |more| {
                at.done += more;
                progress(at);
            });
            self.archive.append_data(&mut header, name, checkpoint).map_err(failed)?;
            self.exported.revisions += 1;
        }
        self.json(END, &End { checkpoints: self.exported.revisions as u64 }).map(drop)
    }
}

fn header(kind: EntryType, size: u64, modified: SystemTime) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mtime(modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
    header.set_mode(if kind == EntryType::Directory { 0o700 } else { 0o600 });
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// What failed: to read the session, or to write.
fn failed(error: io::Error) -> Error {
    error.downcast().unwrap_or_else(|source| Error::Output { source })
}

/// A file to its size of now. That it ends before is an error.
struct Pieces<'a, F> {
    file: &'a File,
    at: u64,
    size: u64,
    seen: F,
    /// What was read and not given yet, backwards.
    piece: Vec<u8>,
}

impl<F: FnMut(&[u8])> Read for Pieces<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && self.at < self.size {
            self.piece = piece(self.file, self.at, self.size)?;
            self.at += self.piece.len() as u64;
            (self.seen)(&self.piece);
        }
        let given = self.piece.len().min(buffer.len());
        buffer[..given].copy_from_slice(&self.piece[..given]);
        self.piece.drain(..given);
        Ok(given)
    }
}
