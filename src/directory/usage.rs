//! How much of the disk a session takes.

use crate::backend::Usage;
use crate::error::Result;
use crate::sys::{Directory, Kind, Metadata, Outcome, found};

/// What is below a directory and on the same file system. No link is followed.
pub(super) fn usage(directory: &Directory) -> Result<Usage> {
    Ok(below(directory, directory.own_metadata()?.mount)?)
}

fn below(directory: &Directory, mount: u64) -> Outcome<Usage> {
    let mut usage = Usage::default();
    for (name, kind) in directory.entries()? {
        if kind == Kind::Directory {
            // What goes while we look is not there any more.
            let Some(inner) = found(directory.open_directory(&name))? else { continue };
            if inner.own_metadata()?.mount == mount {
                usage += below(&inner, mount)?;
            }
        } else if let Some(file) = directory.metadata(&name)? {
            usage += of(&file);
        }
    }
    Ok(usage)
}

/// One with several names goes with the last of them.
pub(super) fn of(file: &Metadata) -> Usage {
    Usage::new(1, file.allocated / file.links.max(1))
}
