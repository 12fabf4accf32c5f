//! How much of the disk a session takes.

use super::tree::{self, Visit};
use crate::backend::Usage;
use crate::error::Result;
use crate::sys::{Directory, Metadata};

/// What is below a directory and on the same file system. No link is followed.
pub(super) fn usage(directory: &Directory) -> Result<Usage> {
    let mut usage = Usage::default();
    tree::walk(directory, |directory, name, step| match step {
        Visit::File => {
            // What goes while we look is not there any more.
            usage += directory.metadata(name)?.as_ref().map(of).unwrap_or_default();
            Ok(())
        }
        Visit::Left | Visit::Mounted => Ok(()),
        Visit::Failed(failure) => Err(failure),
    })?;
    Ok(usage)
}

/// One with several names goes with the last of them.
pub(super) fn of(file: &Metadata) -> Usage {
    Usage::new(1, file.allocated / file.links.max(1))
}
