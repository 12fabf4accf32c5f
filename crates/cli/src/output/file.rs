//! Files that are written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Puts a new file in place of the old one when it is whole and on stable storage.
pub(crate) fn write_file<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(File) -> Result<T, E>,
) -> Result<T, E> {
    // What a link leads to is replaced, not the link. One that leads nowhere yet is replaced itself.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let there = fs::metadata(&path).ok();
    if there.as_ref().is_some_and(|it| !it.is_file()) {
        // A pipe or a device has nothing to lose, and must not become a file.
        return write(OpenOptions::new().write(true).open(&path)?);
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // What is left of it where we are killed says whose it is.
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".pitstop-");
    let new = tempfile::Builder::new().prefix(&prefix).make_in(directory, |name| {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(name)
    })?;
    let written = write(new.as_file().try_clone()?)?;
    if let Some(there) = there {
        new.as_file().set_permissions(there.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(&path).map_err(io::Error::from)?;
    File::open(directory)?.sync_all()?;
    Ok(written)
}
