//! A walk through all that is below a directory, however deep that is.

use std::ffi::{OsStr, OsString};

use crate::sys::{Directory, Failure, Kind, Metadata, Outcome};

/// So many directories on the way down stay open. Whatever else is needed is opened again on the way up.
const OPEN: usize = 64;

/// What a walk comes to.
pub(super) enum Visit {
    /// What is no directory.
    File,
    /// A directory, when all that is in it was visited.
    Left,
    /// A directory on which another file system is mounted. Nothing in it is visited.
    Mounted,
    /// What cannot be looked into.
    Failed(Failure),
}

/// A directory on the way.
struct Level {
    name: OsString,
    metadata: Metadata,
    /// Those that are still to be visited, the next one last.
    entries: Vec<(OsString, Kind)>,
    /// The directory above it, while that is open.
    above: Option<Directory>,
}

impl Level {
    fn new(directory: &Directory, name: OsString, metadata: Metadata) -> Outcome<Self> {
        let mut entries = directory.entries()?;
        entries.reverse();
        Ok(Self { name, metadata, entries, above: None })
    }
}

/// Visits all below a directory that is on the same file system. No link is followed. An error of `visit` ends
/// the walk, and so does a directory that was moved elsewhere meanwhile.
pub(super) fn walk(
    top: &Directory,
    mut visit: impl FnMut(&Directory, &OsStr, Visit) -> Outcome<()>,
) -> Outcome<()> {
    let metadata = top.own_metadata()?;
    let mount = metadata.mount;
    let mut here = top.clone();
    let mut way = vec![Level::new(top, OsString::new(), metadata)?];
    while let Some(level) = way.last_mut() {
        match level.entries.pop() {
            Some((name, Kind::Directory)) => match enter(&here, &name, mount) {
                Ok(Some((below, mut level))) => {
                    level.above = Some(std::mem::replace(&mut here, below));
                    way.push(level);
                    if let Some(far) = way.len().checked_sub(OPEN) {
                        way[far].above = None;
                    }
                }
                Ok(None) => visit(&here, &name, Visit::Mounted)?,
                // What goes while we look is not there any more.
                Err(failure) if failure.kind() == std::io::ErrorKind::NotFound => (),
                Err(failure) => visit(&here, &name, Visit::Failed(failure))?,
            },
            Some((name, _)) => visit(&here, &name, Visit::File)?,
            None => {
                let (left, Some(above)) = (way.pop(), way.last()) else { break };
                let Some(left) = left else { break };
                here = match left.above {
                    Some(above) => above,
                    None => here.above(&above.metadata)?,
                };
                visit(&here, &left.name, Visit::Left)?;
            }
        }
    }
    Ok(())
}

/// A directory in this one; `None` if it is on another file system.
fn enter(above: &Directory, name: &OsStr, mount: u64) -> Outcome<Option<(Directory, Level)>> {
    let directory = above.open_directory(name)?;
    let metadata = directory.own_metadata()?;
    if metadata.mount != mount {
        return Ok(None);
    }
    let level = Level::new(&directory, name.to_owned(), metadata)?;
    Ok(Some((directory, level)))
}
