//! A session that was opened by its name.

use super::lock::WriterLock;
use super::root::Root;
use super::{journal, names};
use crate::backend::Format;
use crate::error::{Damage, Error, Result};
use crate::id::SessionId;
use crate::sys::{Dated, Directory, Disk, Kind, Outcome, found};

/// The open directory of a session, the repository it was found in, and its name.
#[derive(Clone, Debug)]
pub(super) struct OpenSession<'a> {
    pub(super) root: &'a Root,
    pub(super) repository: Directory,
    pub(super) dir: Directory,
    pub(super) id: SessionId,
}

impl OpenSession<'_> {
    pub(super) fn disk(&self) -> &dyn Disk {
        &**self.root.disk()
    }

    pub(super) fn not_found(&self) -> Error {
        self.root.not_found(&self.id)
    }

    /// Becomes the one writer, or says who is.
    pub(super) fn lock(&self) -> Result<WriterLock> {
        WriterLock::acquire(self)
    }

    /// Whether the name still means this directory.
    pub(super) fn is_current(&self) -> Outcome<bool> {
        is_current(&self.repository, &self.dir, &self.id)
    }

    /// Fails with [`Error::NotFound`] if the session was removed, or replaced by another.
    pub(super) fn require_current(&self) -> Result<()> {
        if self.is_current()? { Ok(()) } else { Err(self.not_found()) }
    }

    /// The file whose name says that the session keeps a journal.
    pub(super) fn marker(&self) -> Result<Option<Dated>> {
        journal::marker(&self.dir)
    }

    /// Reads by `look` in the session's format, again if the session was converted meanwhile. A session that
    /// seems empty or damaged because it is being removed is not found.
    pub(super) fn with_stable_format<T>(
        &self,
        look: impl FnMut(Format) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let found = retry_if_converted(&self.dir, look);
        if matches!(found, Ok(None) | Err(Error::Corrupt { .. } | Error::Unsupported { .. })) {
            self.require_current()?;
        }
        found
    }
}

/// Whether this open directory still is the session of that name: not one that was removed after it
/// was opened, whose files go one after the other.
pub(super) fn is_current(repository: &Directory, dir: &Directory, id: &SessionId) -> Outcome<bool> {
    let here = dir.own_identity()?;
    Ok(repository.identity(names::session(id))?.is_some_and(|it| it.is_same_file(&here)))
}

/// Opens a session's directory. A link is never followed, and is damage.
pub(super) fn open_directory(repository: &Directory, name: &str) -> Result<Option<Directory>> {
    match found(repository.open_directory(name)) {
        Ok(dir) => Ok(dir),
        Err(failure) => match repository.metadata(name)? {
            Some(there) if there.kind != Kind::Directory => Err(Error::Corrupt {
                path: failure.path,
                damage: Damage::WrongKind { found: there.kind, expected: Kind::Directory },
                newest_good: None,
            }),
            _ => Err(failure.into()),
        },
    }
}

/// The format in which a session keeps its checkpoints.
pub(super) fn format(dir: &Directory) -> Result<Format> {
    Ok(if journal::is_there(dir)? { Format::Journal } else { Format::Plain })
}

/// Looks again if the session was converted meanwhile. Of a journal that becomes plain, older segments may be
/// left when the newest is gone, and seem to be all.
pub(super) fn retry_if_converted<T>(
    dir: &Directory,
    mut look: impl FnMut(Format) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let mut marker = journal::marker(dir)?;
    loop {
        let format = if marker.is_some() { Format::Journal } else { Format::Plain };
        let outcome = look(format);
        if format == Format::Plain && matches!(outcome, Ok(Some(_))) {
            return outcome;
        }
        if format == Format::Plain && matches!(outcome, Ok(None)) {
            require_marker(dir)?;
        }
        let now = journal::marker(dir)?;
        let is_same = match (&marker, &now) {
            (Some(before), Some(now)) => before.is_same_file(now) && before.changed == now.changed,
            (before, now) => before.is_none() && now.is_none(),
        };
        if is_same {
            return outcome;
        }
        marker = now;
    }
}

/// Fails if what looks like a plain session without a checkpoint is a journal without its marker.
/// The marker is empty, and clean-up tools delete empty files.
pub(super) fn require_marker(dir: &Directory) -> Result<()> {
    let is_lost = dir.metadata(names::CHECKPOINT)?.is_none()
        && journal::is_saved(dir)?
        && !journal::is_there(dir)?;
    match is_lost {
        true => Err(Error::Corrupt {
            path: dir.path().join(names::JOURNAL),
            damage: Damage::NoMarker,
            newest_good: None,
        }),
        false => Ok(()),
    }
}
