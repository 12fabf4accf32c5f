//! Moving aside: evidence is renamed and kept, never erased.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::sys::{Directory, Outcome};

/// Renames what does not belong where it is to the first free name made of `name` and a number, and
/// flushes that.
pub(super) fn move_aside(directory: &Directory, from: &str, name: &str) -> Outcome<PathBuf> {
    let to = rename_aside(directory, from, name)?;
    if let Err(failure) = directory.sync() {
        // A later flush may not make up for it: the next one is of a rename made anew.
        let _ = directory.rename_new(&to, from);
        return Err(failure);
    }
    Ok(directory.path().join(to))
}

/// Renames as [`move_aside`] does, without a flush. Returns the new name.
pub(super) fn rename_aside(directory: &Directory, from: &str, name: &str) -> Outcome<String> {
    let mut number = 1;
    loop {
        let to = format!("{name}-{number}");
        match directory.rename_new(from, &to) {
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => number += 1,
            outcome => return outcome.map(|()| to),
        }
    }
}
