//! The files that a program keeps in its session's directory: read in order, and put into another one.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use crate::checkpoint::Digester;
use crate::error::{Damage, Error, Result};
use crate::json;
use crate::sys::{Access, Directory, File, Kind, Metadata, found};

/// A file that is being put into a directory. It gets its name when it is whole.
const INCOMING: &str = ".pitstop-incoming";
/// Directories below one another. Each takes an open file to walk through, and to remove.
pub(crate) const DEEPEST: usize = 100;
/// How much of a file is in memory.
const PIECE: u64 = 256 * 1024;

/// Why a file is passed over where sessions have no directories.
pub(crate) const NO_PLACE: &str = "the copy has no directory for files";

/// The program's own files in the directory of a session.
///
/// Only the backends of this library make one: see [`Backend::files`](crate::Backend::files).
#[derive(Debug)]
pub struct Files {
    directory: Directory,
}

/// Something in a session's directory that was not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PassedOver {
    /// Where it is.
    #[serde(rename = "path", serialize_with = "json::path")]
    pub place: PathBuf,
    /// Why it was passed over.
    pub reason: &'static str,
}

/// An entry on a walk.
pub(crate) enum Entry<'a> {
    Directory,
    File(&'a File),
    /// Where it leads: never out of the session's directory.
    Link(OsString),
}

type Visit<'a> = dyn FnMut(&Path, Entry<'_>) -> Result<()> + 'a;

/// Whether this name in a session's directory is Pitstop's or PlainBox's.
pub(crate) fn is_reserved(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name == b"session" || name.starts_with(b"session.")
}

/// Whether a link in the directory that the session's own names lead to by `path` stays in the
/// session's directory, whatever other links do.
pub(crate) fn stays_inside(path: &Path, target: &Path) -> bool {
    let depth = path.components().count().saturating_sub(1);
    let up = target.components().take_while(|it| *it == Component::ParentDir).count();
    target != Path::new("")
        && up <= depth
        && target.components().skip(up).all(|it| matches!(it, Component::Normal(_)))
}

impl Files {
    pub(crate) fn new(directory: Directory) -> Self {
        Self { directory }
    }

    /// Visits each entry, a directory before what is in it, in the order of their names. No link is
    /// followed. Gives what it passed over.
    pub(crate) fn walk(&self, visit: &mut Visit<'_>) -> Result<Vec<PassedOver>> {
        let mut passed_over = Vec::new();
        let mount = self.directory.own_metadata()?.mount;
        walk(&self.directory, Path::new(""), mount, visit, &mut passed_over)?;
        Ok(passed_over)
    }

    /// How many bytes the files have.
    pub(crate) fn size(&self) -> Result<u64> {
        let mut size = 0;
        self.walk(&mut |_, entry| {
            if let Entry::File(file) = entry {
                size += file.metadata()?.size;
            }
            Ok(())
        })?;
        Ok(size)
    }

    /// All files and links, for a copy that has no place for them.
    pub(crate) fn all_passed_over(&self) -> Result<Vec<PassedOver>> {
        let mut all = Vec::new();
        let passed_over = self.walk(&mut |path, entry| {
            if !matches!(entry, Entry::Directory) {
                all.push(PassedOver { place: self.directory.path().join(path), reason: NO_PLACE });
            }
            Ok(())
        })?;
        all.extend(passed_over);
        Ok(all)
    }

    /// Begins to put files here, which come in the order of a walk.
    pub(crate) fn receive(&self) -> Receiver {
        Receiver { open: vec![self.directory.clone()], at: PathBuf::new() }
    }

    /// Copies these files to `to`, durable when it returns. What is there already and the same stays;
    /// what is not here is left alone. `more` is told of each piece.
    pub(crate) fn copy_to(
        &self,
        to: &Self,
        more: &mut dyn FnMut(u64),
    ) -> Result<(usize, Vec<PassedOver>)> {
        if self.directory.own_identity()?.is_same_file(&to.directory.own_identity()?) {
            return Ok((0, Vec::new()));
        }
        let mut receiver = to.receive();
        let mut files = 0;
        let passed_over = self.walk(&mut |path, entry| match entry {
            Entry::Directory => receiver.directory(path),
            Entry::Link(target) => receiver.symlink(path, &target),
            Entry::File(file) => {
                let metadata = file.dated()?;
                files += 1;
                if receiver.holds(path, file, &metadata)? {
                    more(metadata.size);
                    return Ok(());
                }
                let mut at = 0;
                receiver.file(path, metadata.modified, metadata.is_executable, &mut || {
                    let piece = piece(file, at, metadata.size)?;
                    at += piece.len() as u64;
                    more(piece.len() as u64);
                    Ok(piece)
                })
            }
        })?;
        receiver.finish()?;
        Ok((files, passed_over))
    }
}

/// The next piece of a file of this size; empty at its end.
pub(crate) fn piece(file: &File, at: u64, size: u64) -> Result<Vec<u8>> {
    Ok(file.read_at(at, PIECE.min(size - at) as usize)?)
}

fn walk(
    directory: &Directory,
    path: &Path,
    mount: u64,
    visit: &mut Visit<'_>,
    passed_over: &mut Vec<PassedOver>,
) -> Result<()> {
    let mut entries = directory.entries()?;
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, kind) in entries {
        if name == INCOMING || path == Path::new("") && is_reserved(&name) {
            continue;
        }
        let path = path.join(&name);
        let mut pass_over = |reason| {
            passed_over.push(PassedOver { place: directory.path().join(&name), reason });
        };
        // What is gone meanwhile was removed by the program.
        match kind {
            Kind::Directory => {
                let Some(below) = found(directory.open_directory(&name))? else { continue };
                if below.own_metadata()?.mount != mount {
                    pass_over("another file system is mounted there");
                } else if path.components().count() > DEEPEST {
                    pass_over("it is more than 100 directories down");
                } else {
                    visit(&path, Entry::Directory)?;
                    walk(&below, &path, mount, visit, passed_over)?;
                }
            }
            Kind::File => {
                let Some(file) = found(directory.open_file(&name, Access::Read))? else { continue };
                visit(&path, Entry::File(&file))?;
            }
            Kind::Link => {
                let Some(target) = found(directory.read_link(&name))? else { continue };
                match stays_inside(&path, Path::new(&target)) {
                    true => visit(&path, Entry::Link(target))?,
                    false => pass_over("it is a link that leads out of the session's directory"),
                }
            }
            _ => pass_over("it is neither a file, a directory nor a link"),
        }
    }
    Ok(())
}

/// Puts files into a directory. Each is there whole or not at all, 0600 or 0700 in 0700, and durable after
/// [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct Receiver {
    /// The directory of the session, and those on the way down to `at`.
    open: Vec<Directory>,
    at: PathBuf,
}

impl Receiver {
    pub(crate) fn directory(&mut self, path: &Path) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        match parent.make_directory(name) {
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => (),
            outcome => outcome?,
        }
        self.enter(path)
    }

    /// A file, of pieces that end with an empty one.
    pub(crate) fn file(
        &mut self,
        path: &Path,
        modified: SystemTime,
        is_executable: bool,
        next: &mut dyn FnMut() -> Result<Vec<u8>>,
    ) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        found(parent.remove_file(INCOMING))?;
        let access = match is_executable {
            true => Access::CreateNewExecutable,
            false => Access::CreateNew,
        };
        let file = parent.open_file(INCOMING, access)?;
        fill(&file, modified, next).and_then(|()| Ok(parent.rename(INCOMING, name)?)).inspect_err(
            |_| {
                let _ = parent.remove_file(INCOMING);
            },
        )
    }

    pub(crate) fn symlink(&mut self, path: &Path, target: &OsStr) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        found(parent.remove_file(INCOMING))?;
        parent.make_symlink(target, INCOMING)?;
        parent.rename(INCOMING, name).inspect_err(|_| {
            let _ = parent.remove_file(INCOMING);
        })?;
        Ok(())
    }

    /// Whether there is the same file already, and durable.
    fn holds(&mut self, path: &Path, file: &File, metadata: &Metadata) -> Result<bool> {
        let (parent, name) = self.parent(path)?;
        let is_like = |it: &Metadata| (it.kind, it.size, it.is_executable);
        if parent.metadata(name)?.as_ref().map(is_like) != Some(is_like(metadata)) {
            return Ok(false);
        }
        let size = metadata.size;
        let there = parent.open_file(name, Access::Read)?;
        let mut at = 0;
        while at < size {
            let here = piece(file, at, size)?;
            if here != piece(&there, at, size)? {
                return Ok(false);
            }
            at += here.len() as u64;
        }
        // It may be there unflushed. Where that cannot be mended it is written anew.
        Ok(there.sync().is_ok())
    }

    /// Makes the names durable.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.leave(0)?;
        Ok(self.open[0].sync()?)
    }

    /// The open directory that holds this path, and the last name of it.
    fn parent<'a>(&mut self, path: &'a Path) -> Result<(&Directory, &'a OsStr)> {
        self.enter(path.parent().unwrap_or(Path::new("")))?;
        let name = path.file_name().unwrap_or_default();
        Ok((&self.open[self.open.len() - 1], name))
    }

    fn enter(&mut self, path: &Path) -> Result<()> {
        let common = self.at.components().zip(path.components()).take_while(|(a, b)| a == b);
        self.leave(common.count())?;
        for name in path.components().skip(self.open.len() - 1) {
            let here = &self.open[self.open.len() - 1];
            let below = here.open_directory(name)?;
            self.open.push(below);
            self.at.push(name);
        }
        Ok(())
    }

    /// Goes up until so many directories are left below the first. What was left is durable then.
    fn leave(&mut self, depth: usize) -> Result<()> {
        while self.open.len() - 1 > depth {
            if let Some(left) = self.open.pop() {
                left.sync()?;
            }
            self.at.pop();
        }
        Ok(())
    }
}

/// Writes a file, flushes it, and reads it back.
fn fill(
    file: &File,
    modified: SystemTime,
    next: &mut dyn FnMut() -> Result<Vec<u8>>,
) -> Result<()> {
    let (mut written, mut read) = (Digester::default(), Digester::default());
    let mut size = 0;
    loop {
        let piece = next()?;
        if piece.is_empty() {
            break;
        }
        file.write_all_at(&[&piece], size)?;
        written.add(&piece);
        size += piece.len() as u64;
    }
    file.set_modified(modified)?;
    file.sync()?;
    let mut at = 0;
    while at < size {
        let piece = piece(file, at, size)?;
        read.add(&piece);
        at += piece.len() as u64;
    }
    match written.digest() == read.digest() {
        true => Ok(()),
        false => Err(Error::Corrupt {
            path: file.path().to_owned(),
            damage: Damage::NotAsWritten,
            newest_good: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_may_lead_out_are_known() {
        for (path, target, inside) in [
            ("link", "file", true),
            ("a/b/link", "../../file", true),
            ("a/b/link", "../c/file", true),
            ("link", "../other.session/session", false),
            ("a/link", "../../file", false),
            ("a/link", "/etc/passwd", false),
            // Where `b` is itself a link, `..` is not what it seems.
            ("a/link", "b/../../file", false),
            ("a/link", "./b", false),
            ("a/link", "", false),
        ] {
            assert_eq!(stays_inside(Path::new(path), Path::new(target)), inside, "{path} {target}");
        }
    }

    #[test]
    fn reserved_names_are_ours_or_plainboxs() {
        for name in ["session", "session.next", "session.journal-0", "session.aside-1"] {
            assert!(is_reserved(OsStr::new(name)), "{name}");
        }
        for name in ["session-share", "sessions", "io-logs", ".session"] {
            assert!(!is_reserved(OsStr::new(name)), "{name}");
        }
    }
}
