//! The names of everything in a repository.

use std::ffi::OsStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::error::Result;
use crate::id::{InvalidId, NameProblem, SessionId};

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
const STAGED: &str = ".new-";
const REMOVED: &str = ".removed";
const TRASH: &str = ".trash-";
const LINK: &str = ".last";
/// To the microsecond, in UTC.
const STAMP: &str = "%Y-%m-%dT%H.%M.%S.%6f";

/// The directory of a session.
pub(super) fn session(id: &SessionId) -> String {
    match id.as_str().strip_suffix('/') {
        Some(directory) => directory.to_owned(),
        None => format!("{id}{SUFFIX}"),
    }
}

/// What names that are made of a session's begin with. No session's name begins with a dot: one more says
/// that what follows is the name of a directory.
fn hidden(id: &SessionId) -> String {
    match id.as_str().strip_suffix('/') {
        Some(directory) => format!("..{directory}"),
        None => format!(".{id}"),
    }
}

/// The session in a directory of this name, whatever that is.
pub(super) fn in_directory(name: &OsStr) -> Result<SessionId> {
    match (id(name), name.to_str()) {
        (Ok(id), Some(name)) if session(&id) == name => Ok(id),
        (_, Some(name)) => Ok(SessionId::of_directory(name)),
        (id, None) => id,
    }
}

/// A name for a session's directory while it is being made.
pub(super) fn staged(id: &SessionId) -> String {
    let number = u64::from_le_bytes(crate::random::bytes());
    format!("{}{STAGED}{number:016x}", hidden(id))
}

/// The name that a session's directory has while it is being deleted.
pub(super) fn removed(id: &SessionId) -> String {
    format!("{}{REMOVED}", hidden(id))
}

/// The name of a session's directory while it is in the trash: what it was, and when it went there.
pub(super) fn trashed(id: &SessionId, removed: SystemTime) -> String {
    let stamp = Timestamp::try_from(removed).unwrap_or_default().strftime(STAMP);
    format!("{}{TRASH}{stamp}", hidden(id))
}

/// The time as [`trashed`] keeps it.
pub(super) fn to_stamp(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    UNIX_EPOCH + Duration::from_micros(u64::try_from(since).unwrap_or_default())
}

/// What has this hidden name in a repository, if it is one of ours.
pub(super) fn of_hidden(name: &OsStr) -> Option<Hidden> {
    let name = name.to_str()?.strip_prefix('.')?;
    let id = |name: &str| match name.strip_prefix('.') {
        Some(directory) => in_directory(OsStr::new(directory)).ok(),
        None => SessionId::new(name).ok(),
    };
    if let Some((name, stamp)) = name.rsplit_once(TRASH)
        && let Ok(removed) = Timestamp::strptime(format!("{STAMP}%z"), format!("{stamp}+0000"))
    {
        return Some(Hidden::Trashed(id(name)?, SystemTime::try_from(removed).ok()?));
    }
    if let Some((name, number)) = name.rsplit_once(STAGED)
        && number.len() == 16
        && number.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return id(name).map(|_| Hidden::Staged);
    }
    if let Some(name) = name.strip_suffix(LINK) {
        return id(name).map(|_| Hidden::NewLast);
    }
    let (name, number) = name.rsplit_once(REMOVED)?;
    let is_numbered = |it: &str| it.strip_prefix('-').is_some_and(|it| it.parse::<u64>().is_ok());
    (number.is_empty() || is_numbered(number)).then(|| id(name).map(|_| Hidden::Removed))?
}

/// What is hidden in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    /// A session that is being made.
    Staged,
    /// A session that is being deleted.
    Removed,
    /// A session in the trash, and since when.
    Trashed(SessionId, SystemTime),
    /// The link that is about to become [`LAST`].
    NewLast,
}

/// The link to a session that is about to become [`LAST`]. Two that make different sessions the last
/// do not meet.
pub(super) fn new_last(id: &SessionId) -> String {
    format!("{}{LINK}", hidden(id))
}

/// Whether a directory of this name is a session: it ends in `.session` and is not hidden.
pub(super) fn is_session(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(SUFFIX.as_bytes()) && !name.starts_with(b".")
}

/// The session whose directory has this name.
pub(super) fn id(name: &OsStr) -> Result<SessionId> {
    let Some(text) = name.to_str() else {
        return Err(InvalidId::new(&name.to_string_lossy(), NameProblem::NotUtf8).into());
    };
    Ok(SessionId::new(text.strip_suffix(SUFFIX).unwrap_or(text))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_names_say_what_they_are() {
        let id = SessionId::new("my.trash-1 job.removed").unwrap();
        let when = UNIX_EPOCH + Duration::new(1_795_449_301, 120_456_000);
        let name = trashed(&id, when);
        assert_eq!(name, ".my.trash-1 job.removed.trash-2026-11-23T15.55.01.120456");
        let what = |name: &str| of_hidden(OsStr::new(name));
        assert_eq!(what(&name), Some(Hidden::Trashed(id.clone(), when)));
        assert_eq!(what(&staged(&id)), Some(Hidden::Staged));
        assert_eq!(what(&removed(&id)), Some(Hidden::Removed));
        assert_eq!(what(&(removed(&id) + "-12")), Some(Hidden::Removed));
        assert_eq!(what(&new_last(&id)), Some(Hidden::NewLast));
        // In a directory of another name than a session's.
        let other = SessionId::of_directory("my.trash-1 job.removed");
        let name = trashed(&other, when);
        assert_eq!(name, "..my.trash-1 job.removed.trash-2026-11-23T15.55.01.120456");
        assert_eq!(what(&name), Some(Hidden::Trashed(other.clone(), when)));
        assert_ne!(removed(&other), removed(&id));
        assert_ne!(new_last(&other), new_last(&id));
        let others = [
            "job.session",
            ".job",
            ".job.trash-now",
            ".job.new-12",
            ".job.removed-x",
            ".removed",
            ".job.removed-",
            "job.removed",
            ".last",
            ".last-session.aside-1",
        ];
        for other in others {
            assert_eq!(what(other), None, "{other}");
        }
    }
}
