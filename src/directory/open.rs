//! A session that was opened by its name.

use super::lock::{Purpose, WriterLock};
use super::root::Root;
use super::{journal, names};
use crate::backend::Format;
use crate::error::{Damage, Error, Result};
use crate::id::SessionId;
use crate::sys::{Access, Dated, Directory, Disk, Kind, Outcome, found};

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
    pub(super) fn lock(&self, purpose: Purpose) -> Result<WriterLock> {
        WriterLock::acquire(self, purpose)
    }

    /// Whether the name still means this directory.
    pub(super) fn is_current(&self) -> Outcome<bool> {
        is_current(&self.repository, &self.dir, &self.id)
    }

    /// Fails with [`Error::NotFound`] if the session was removed, or replaced by another.
    pub(super) fn require_current(&self) -> Result<()> {
        if self.is_current()? { Ok(()) } else { Err(self.not_found()) }
    }

    /// The file whose name says that the session keeps a journal, made anew where it was lost. The caller has the
    /// lock.
    pub(super) fn marker(&self) -> Result<Option<Dated>> {
        let dir = &self.dir;
        let marker = journal::marker(dir)?;
        if marker.is_some() || format_by(dir, None)? == Format::Plain {
            return Ok(marker);
        }
        // Not flushed: where it gets lost again, the segments still say it.
        dir.open_file(names::JOURNAL, Access::CreateNew)?;
        journal::marker(dir)
    }

    /// Reads by `look` in the session's format, again if the session was converted meanwhile. A session that
    /// seems empty or damaged because it is being removed is not found.
    pub(super) fn with_stable_format<T>(
        &self,
        mut look: impl FnMut(Format) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let mut seen = Format::Plain;
        let found = retry_if_converted(&self.dir, |format| {
            seen = format;
            look(format)
        });
        if !is_marked(&self.dir, seen)? {
            self.require_current()?;
        }
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
    format_by(dir, journal::marker(dir)?.as_ref())
}

/// Without a marker a session is plain: but where it has no plain checkpoint, and segments of a journal in which
/// something was saved, it is a journal that lost its marker. That is empty and never written, so that clean-up
/// tools take it first. (Where nothing was saved, a conversion may have been cut short.)
fn format_by(dir: &Directory, marker: Option<&Dated>) -> Result<Format> {
    let is_journal =
        marker.is_some() || (dir.metadata(names::CHECKPOINT)?.is_none() && journal::is_begun(dir)?);
    Ok(if is_journal { Format::Journal } else { Format::Plain })
}

/// Whether this format is what the marker says. Of a journal without one, files may just be going because the session
/// is removed, the newest before older ones.
pub(super) fn is_marked(dir: &Directory, format: Format) -> Result<bool> {
    Ok(format != Format::Journal || journal::is_there(dir)?)
}

/// Looks again if the session was converted meanwhile. Of a journal that becomes plain, older segments may be
/// left when the newest is gone, and seem to be all.
pub(super) fn retry_if_converted<T>(
    dir: &Directory,
    mut look: impl FnMut(Format) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let mut marker = journal::marker(dir)?;
    loop {
        let format = format_by(dir, marker.as_ref())?;
        let outcome = look(format);
        if format == Format::Plain && matches!(outcome, Ok(Some(_))) {
            return outcome;
        }
        let now = journal::marker(dir)?;
        let is_same = match (&marker, &now) {
            (Some(before), Some(now)) => before.is_same_file(now) && before.changed == now.changed,
            // Nor did the other format come and go.
            (None, None) => format_by(dir, None)? == format,
            _ => false,
        };
        if is_same {
            return outcome;
        }
        marker = now;
    }
}
