//! Reading an archive, which anybody may have made.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use tar::{Archive, Entries, EntryType};

use super::{
    CHECKPOINTS, END, End, FILES, FILES_END, FilesDigest, FilesEnd, HEAD, Head, OWNER_EXECUTES,
    checked_path, checkpoint_name, damaged,
};
use crate::checkpoint::{CheckpointInfo, Digester};
use crate::copy::{Copied, CopyOptions, Origin, get_or_create, receive_from};
use crate::error::{Error, Result};
use crate::files::{Files, NO_PLACE, PassedOver, is_reserved, stays_inside};
use crate::repository::Repository;

/// What is taken into memory at most: of a list of checkpoints, and of a name.
const LONGEST_JSON: u64 = 64 << 20;
const LONGEST_NAME: u64 = 16 << 10;
const PIECE: usize = 256 * 1024;

impl Repository {
    /// Makes a session of an archive that [`Session::export`](crate::Session::export) wrote, or fills one
    /// up that stands where it stood at an earlier revision: revisions keep their numbers, times and
    /// labels where the session keeps them. Names that are absolute or lead upwards, links that lead out,
    /// what belongs to Pitstop, entries that come twice or not at all: all that is refused.
    ///
    /// # Durability
    /// `Ok` means: all of it is on stable storage, and every digest was right. Files are, before the newest
    /// checkpoint is there.
    ///
    /// # Errors
    /// [`Error::Corrupt`] says what is wrong with the archive; [`Error::Input`] if it cannot be read;
    /// [`Error::Diverged`] if the session is there and holds something else, which stays as it is. Else
    /// those of [`create`](Self::create) and [`Writer::save`](crate::Writer::save). After any, a session
    /// that this has made is removed.
    pub fn import(&self, from: impl Read, options: CopyOptions<'_>) -> Result<Copied> {
        let failure = RefCell::new(None);
        let outcome = self.import_from(Noting { from, failure: &failure }, options);
        match (outcome, failure.into_inner()) {
            // What the source said is lost in what the reader of archives makes of it.
            (Err(_), Some(source)) => Err(Error::Input { source }),
            (outcome, _) => outcome,
        }
    }

    fn import_from(&self, from: impl Read, mut options: CopyOptions<'_>) -> Result<Copied> {
        let mut archive = Archive::new(from);
        let mut import = Import {
            // As it is: what a name that is longer than a header makes of memory is ours to say.
            entries: archive.entries().map_err(failed)?.raw(true),
            next: None,
            digest: FilesDigest::default(),
            checkpoints: 0,
        };
        let head = import.bytes(HEAD)?;
        import.digest.add(&head);
        let outline = parse::<Head>(HEAD, &head)?.outline()?;
        let (session, is_new) = get_or_create(&outline, self, &options)?;
        let outcome = receive_from(&mut import, &outline, session.clone(), &mut options);
        if outcome.is_err() && is_new {
            let _ = session.remove();
        }
        outcome
    }
}

/// Keeps the error of a source.
struct Noting<'a, R> {
    from: R,
    failure: &'a RefCell<Option<io::Error>>,
}

impl<R: Read> Read for Noting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.from.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => {
                self.failure.replace(Some(error));
                kind.into()
            }
        })
    }
}

struct Import<'a, R: Read> {
    entries: Entries<'a, R>,
    /// One that was looked at, and not used.
    next: Option<Found<'a, R>>,
    /// Of what came before the checkpoints.
    digest: FilesDigest,
    checkpoints: u64,
}

/// An entry with its name.
struct Found<'a, R: Read> {
    name: Vec<u8>,
    target: Option<Vec<u8>>,
    kind: EntryType,
    data: tar::Entry<'a, R>,
}

impl<'a, R: Read> Import<'a, R> {
    /// The next entry; one that says what is wrong if there is none.
    fn next(&mut self) -> Result<Found<'a, R>> {
        if let Some(next) = self.next.take() {
            return Ok(next);
        }
        let (mut long_name, mut long_target) = (None, None);
        loop {
            let data = self.entries.next().ok_or_else(|| damaged("it ends too early"))?;
            let mut data = data.map_err(failed)?;
            match data.header().entry_type() {
                EntryType::GNULongName => long_name = Some(text(&mut data)?),
                EntryType::GNULongLink => long_target = Some(text(&mut data)?),
                kind @ (EntryType::Regular | EntryType::Directory | EntryType::Symlink) => {
                    let name = long_name.unwrap_or_else(|| data.path_bytes().into_owned());
                    let target = match kind {
                        EntryType::Symlink => {
                            long_target.or_else(|| data.link_name_bytes().map(|it| it.into_owned()))
                        }
                        _ => None,
                    };
                    return Ok(Found { name, target, kind, data });
                }
                _ => {
                    let name = String::from_utf8_lossy(&data.path_bytes()).into_owned();
                    return Err(damaged(format!(
                        "{name:?} in it is neither a file, a directory nor a symbolic link"
                    )));
                }
            }
        }
    }

    /// An entry that is to come now.
    fn bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut found = self.next()?;
        if found.name != name.as_bytes() || found.kind != EntryType::Regular {
            return Err(misplaced(&found.name, name));
        }
        bytes(&mut found.data, LONGEST_JSON)
    }
}

impl<R: Read> Origin for Import<'_, R> {
    fn put_files(
        &mut self,
        to: Option<&Files>,
        more: &mut dyn FnMut(u64),
    ) -> Result<(usize, Vec<PassedOver>)> {
        let mut receiver = to.map(Files::receive);
        let mut digest = std::mem::take(&mut self.digest);
        let (mut files, mut passed_over) = (0, Vec::new());
        let (mut before, mut is_leaf) = (PathBuf::new(), false);
        loop {
            let mut found = self.next()?;
            if found.name == FILES_END.as_bytes() {
                self.next = Some(found);
                break;
            }
            let path = own_path(&found)?;
            if path <= before {
                return Err(refused(&found.name, "comes twice, or in no order"));
            }
            if is_leaf && path.starts_with(&before) {
                return Err(refused(&found.name, "is in what is no directory"));
            }
            is_leaf = found.kind != EntryType::Directory;
            if is_leaf && receiver.is_none() {
                passed_over.push(PassedOver { place: path.clone(), reason: NO_PLACE });
            }
            let size = found.data.size();
            match (found.kind, &mut receiver) {
                (EntryType::Directory, receiver) => {
                    digest.begin(found.kind, &path, 0);
                    receiver.as_mut().map_or(Ok(()), |it| it.directory(&path))?;
                }
                (EntryType::Symlink, receiver) => {
                    let target = found.target.clone().unwrap_or_default();
                    digest.begin(found.kind, &path, target.len() as u64);
                    digest.add(&target);
                    let target = OsString::from_vec(target);
                    if !stays_inside(&path, Path::new(&target)) {
                        return Err(refused(&found.name, "leads out of the session's directory"));
                    }
                    receiver.as_mut().map_or(Ok(()), |it| it.symlink(&path, &target))?;
                }
                (_, Some(receiver)) => {
                    digest.begin(found.kind, &path, size);
                    let modified = Duration::from_secs(found.data.header().mtime().unwrap_or(0));
                    files += 1;
                    let modified = UNIX_EPOCH.checked_add(modified).unwrap_or(UNIX_EPOCH);
                    let is_executable =
                        found.data.header().mode().unwrap_or(0) & OWNER_EXECUTES != 0;
                    receiver.file(&path, modified, is_executable, &mut || {
                        let piece = piece(&mut found.data)?;
                        digest.add(&piece);
                        more(piece.len() as u64);
                        Ok(piece)
                    })?;
                }
                (_, None) => {
                    digest.begin(found.kind, &path, size);
                    loop {
                        let piece = piece(&mut found.data)?;
                        if piece.is_empty() {
                            break;
                        }
                        digest.add(&piece);
                        more(piece.len() as u64);
                    }
                }
            }
            before = path;
        }
        if parse::<FilesEnd>(FILES_END, &self.bytes(FILES_END)?)? != digest.end() {
            return Err(damaged("the files in it are not what was written"));
        }
        receiver.map_or(Ok(()), |it| it.finish())?;
        Ok((files, passed_over))
    }

    fn open(
        &mut self,
        info: &CheckpointInfo,
        is_newest: bool,
    ) -> Result<Option<Box<dyn Read + '_>>> {
        let name = checkpoint_name(info);
        loop {
            let found = self.next()?;
            let number = number(&found.name);
            if found.name == name.as_bytes() && found.kind == EntryType::Regular {
                if found.data.size() != info.size {
                    return Err(refused(&found.name, "has not the size that it should have"));
                }
                self.checkpoints += 1;
                let (left, digest) = (info.size, Digester::default());
                return Ok(Some(Box::new(Checked {
                    data: found.data,
                    info: info.clone(),
                    left,
                    digest,
                })));
            }
            match (number, info.revision.number()) {
                // It is there already.
                (Some(number), Some(wanted)) if number < wanted => self.checkpoints += 1,
                _ if is_newest => return Err(misplaced(&found.name, &name)),
                // It was given up when the archive was written.
                _ => {
                    self.next = Some(found);
                    return Ok(None);
                }
            }
        }
    }

    fn end(&mut self) -> Result<()> {
        // What is there already may stand behind what was asked for.
        loop {
            let found = self.next()?;
            if !found.name.starts_with(CHECKPOINTS.as_bytes()) {
                self.next = Some(found);
                break;
            }
            self.checkpoints += 1;
        }
        match parse::<End>(END, &self.bytes(END)?)? == (End { checkpoints: self.checkpoints }) {
            true => Ok(()),
            false => Err(damaged("a checkpoint is missing in it")),
        }
    }
}

fn parse<T: DeserializeOwned>(name: &str, json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|_| damaged(format!("{name} in it is no such thing")))
}

/// The number of a checkpoint's entry.
fn number(name: &[u8]) -> Option<u64> {
    let name = std::str::from_utf8(name).ok()?.strip_prefix(CHECKPOINTS)?.strip_prefix('/')?;
    name.parse().ok()
}

/// The path of one of the program's files in the session's directory.
fn own_path<R: Read>(found: &Found<'_, R>) -> Result<PathBuf> {
    let name = match found.kind {
        EntryType::Directory => found.name.strip_suffix(b"/").unwrap_or(&found.name),
        _ => &found.name,
    };
    let path = checked_path(name).ok_or_else(|| refused(name, "is no path in a session"))?;
    let path = path.strip_prefix(FILES).map_err(|_| misplaced(name, FILES_END))?;
    match path.components().next() {
        None => Err(refused(name, "is no path in a session")),
        Some(first) if is_reserved(first.as_os_str()) => {
            Err(refused(name, "has a name that is Pitstop's own"))
        }
        Some(_) => Ok(path.to_owned()),
    }
}

/// The payload of a checkpoint. Its last bytes come only if its digest is right.
struct Checked<D> {
    data: D,
    info: CheckpointInfo,
    left: u64,
    digest: Digester,
}

impl<D: Read> Read for Checked<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let read = self.data.read(&mut buffer[..most]).map_err(failed)?;
        if read == 0 {
            return Err(damaged("it ends too early").into());
        }
        self.digest.add(&buffer[..read]);
        self.left -= read as u64;
        if self.left == 0 && self.digest.digest() != self.info.digest {
            self.left = 1;
            let revision = self.info.revision;
            return Err(damaged(format!("revision {revision} in it is not what was saved")).into());
        }
        Ok(read)
    }
}

/// The next piece of an entry; empty at its end.
fn piece(data: &mut impl Read) -> Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(PIECE);
    data.take(PIECE as u64).read_to_end(&mut piece).map_err(failed)?;
    Ok(piece)
}

/// A name that is too long for a header.
fn text<R: Read>(data: &mut tar::Entry<'_, R>) -> Result<Vec<u8>> {
    let mut text = bytes(data, LONGEST_NAME)?;
    text.pop_if(|last| *last == 0);
    Ok(text)
}

/// All of an entry, if it is not longer than that.
fn bytes<R: Read>(data: &mut tar::Entry<'_, R>, most: u64) -> Result<Vec<u8>> {
    let size = data.size();
    if size > most {
        return Err(damaged("something in it is too long"));
    }
    let mut bytes = Vec::new();
    data.read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 == size {
        true => Ok(bytes),
        false => Err(damaged("it ends too early")),
    }
}

fn refused(name: &[u8], problem: &str) -> Error {
    damaged(format!("{:?} in it {problem}", String::from_utf8_lossy(name)))
}

fn misplaced(name: &[u8], wanted: &str) -> Error {
    refused(name, &format!("stands where {wanted} belongs"))
}

/// Whether the archive is no archive, or cannot be read.
fn failed(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::Other | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
            error.downcast().unwrap_or_else(|_| damaged("it is no tar archive, or not a whole one"))
        }
        _ => Error::Input { source: error },
    }
}
