//! The names of everything in a repository.

use std::ffi::OsStr;

use crate::error::Error;
use crate::id::{SessionId, printable};

/// In the repository: a link to the last session. PlainBox's name.
pub(super) const LAST: &str = "last-session";
/// What was found where [`LAST`] belongs, with a number.
pub(super) const LAST_ASIDE: &str = ".last-session.aside";

/// In a session: its newest checkpoint. PlainBox's name.
pub(super) const CHECKPOINT: &str = "session";
/// PlainBox's lock, and in PlainBox's own saves the file being written.
pub(super) const PLAINBOX_LOCK: &str = "session.next";
/// The file that is about to become [`CHECKPOINT`]. Only the holder of [`WRITER`] touches it.
pub(super) const NEW_CHECKPOINT: &str = "session.new";
/// Holds the kernel lock of the writer, and its record.
pub(super) const WRITER: &str = "session.writer";
/// A link to the session that this one replaces with its first checkpoint.
pub(super) const REPLACES: &str = "session.replaces";
/// What was found where [`PLAINBOX_LOCK`] belongs, with a number.
pub(super) const LOCK_ASIDE: &str = "session.aside";

/// An empty file that says that a session keeps a journal.
pub(super) const JOURNAL: &str = "session.journal";
/// A segment of the journal that is being made.
pub(super) const NEW_SEGMENT: &str = "session.journal.new";
/// What was found where a segment of the journal belongs, with a number.
pub(super) const SEGMENT_ASIDE: &str = "session.journal.aside";

/// A file of the journal.
pub(super) fn segment(number: u64) -> String {
    format!("{JOURNAL}-{number}")
}

/// Which file of the journal has this name.
pub(super) fn segment_number(name: &str) -> Option<u64> {
    name.strip_prefix(JOURNAL)?.strip_prefix('-')?.parse().ok()
}

const SUFFIX: &str = ".session";

/// The directory of a session.
pub(super) fn session(id: &SessionId) -> String {
    match id.as_str().strip_suffix('/') {
        Some(directory) => directory.to_owned(),
        None => format!("{id}{SUFFIX}"),
    }
}

/// What names that are made of a session's begin with.
fn hidden(id: &SessionId) -> String {
    format!(".{}", id.as_str().trim_end_matches('/'))
}

/// The session in a directory of this name, whatever that is.
pub(super) fn in_directory(name: &OsStr) -> crate::Result<SessionId> {
    match (id(name), name.to_str()) {
        (Ok(id), Some(name)) if session(&id) == name => Ok(id),
        (_, Some(name)) => Ok(SessionId::of_directory(name)),
        (id, None) => id,
    }
}

/// A name for a session's directory while it is being made.
pub(super) fn staged(id: &SessionId) -> String {
    let number = u64::from_le_bytes(crate::random::bytes());
    format!("{}.new-{number:016x}", hidden(id))
}

/// The name that a session's directory has while it is being deleted.
pub(super) fn removed(id: &SessionId) -> String {
    format!("{}.removed", hidden(id))
}

/// The link to a session that is about to become [`LAST`]. Two that make different sessions the last
/// do not meet.
pub(super) fn new_last(id: &SessionId) -> String {
    format!("{}.last", hidden(id))
}

/// Whether a directory of this name is a session: it ends in `.session` and is not hidden.
pub(super) fn is_session(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(SUFFIX.as_bytes()) && !name.starts_with(b".")
}

/// The session whose directory has this name.
pub(super) fn id(name: &OsStr) -> crate::Result<SessionId> {
    let Some(text) = name.to_str() else {
        let id = printable(&name.to_string_lossy());
        return Err(Error::InvalidId { id, problem: "it is not UTF-8" });
    };
    SessionId::new(text.strip_suffix(SUFFIX).unwrap_or(text))
}
