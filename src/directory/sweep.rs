//! What killed processes left in a repository.

use std::ffi::OsStr;
use std::time::Duration;

use super::names::{self, Hidden};
use super::remove;
use super::usage::usage;
use crate::backend::{Leftover, Removal, Sweep, Usage};
use crate::error::Result;
use crate::sys::{Access, Directory, Disk, File, Kind, Outcome, found};

/// Making a session takes an instant. One that was begun so long ago, and is not there, never will be.
const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

/// Deletes it, or only says what it is.
pub(super) fn sweep(repository: &Directory, disk: &dyn Disk, dry_run: bool) -> Result<Sweep> {
    let mut sweep = Sweep::default();
    let mut is_durable = dry_run;
    for (name, kind) in repository.entries()? {
        let Some(condemned) = Condemned::of(repository, &name, kind, disk)? else { continue };
        if !is_durable {
            // What was removed may not be so on the disk yet: then not one file of it may go.
            repository.sync()?;
            is_durable = true;
        }
        if !dry_run {
            let mut removal = Removal::default();
            condemned.delete(repository, &name, &mut removal)?;
            if !removal.remains.is_empty() {
                sweep.remains.extend(removal.remains);
                continue;
            }
        }
        let Condemned { what, usage, .. } = condemned;
        sweep.leftovers.push(Leftover { place: repository.path().join(&name), what, usage });
    }
    Ok(sweep)
}

/// A leftover that nobody needs.
struct Condemned {
    what: &'static str,
    usage: Usage,
    is_link: bool,
    /// Keeps whoever was removing it from putting it back.
    _lock: Option<File>,
}

impl Condemned {
    fn of(
        repository: &Directory,
        name: &OsStr,
        kind: Kind,
        disk: &dyn Disk,
    ) -> Result<Option<Self>> {
        let (what, is_link) = match (names::of_hidden(name), kind) {
            (Some(Hidden::Removed), Kind::Directory) => ("a session that was being removed", false),
            (Some(Hidden::Staged), Kind::Directory) => ("a session that was being made", false),
            // Whoever is about to put it in place makes it anew.
            (Some(Hidden::NewLast), Kind::Link) => {
                let what = "a link to a last session";
                return Ok(Some(Self {
                    what,
                    usage: Usage::default(),
                    is_link: true,
                    _lock: None,
                }));
            }
            _ => return Ok(None),
        };
        let Some(directory) = found(repository.open_directory(name))? else { return Ok(None) };
        let is_removed = names::of_hidden(name) == Some(Hidden::Removed);
        if !is_removed && !is_abandoned(&directory, disk)? {
            return Ok(None);
        }
        let lock = found(directory.open_file(names::WRITER, Access::Write));
        let lock = match lock {
            Ok(Some(file)) if !file.try_lock()? => return Ok(None),
            Ok(lock) => lock,
            // What is no file nobody can have locked.
            Err(failure) if failure.kind() == std::io::ErrorKind::InvalidData => None,
            Err(failure) => return Err(failure.into()),
        };
        Ok(Some(Self { what, usage: usage(&directory)?, is_link, _lock: lock }))
    }

    fn delete(&self, repository: &Directory, name: &OsStr, removal: &mut Removal) -> Outcome<()> {
        if self.is_link {
            return found(repository.remove_file(name)).map(drop);
        }
        remove::delete(repository, name, removal);
        Ok(())
    }
}

fn is_abandoned(directory: &Directory, disk: &dyn Disk) -> Outcome<bool> {
    let changed = directory.own_dated()?.changed;
    let old = disk.now().duration_since(changed).is_ok_and(|age| age >= ABANDONED_AFTER);
    Ok(old || disk.boot_time().is_ok_and(|boot| changed + Duration::from_secs(1) < boot))
}
