//! Moving sessions from one repository to another, whatever these are made of.

mod fork;
mod original;
mod receive;

use std::fmt;

use serde::Serialize;

use crate::backend::{Format, Listing, Problem};
use crate::checkpoint::Labels;
use crate::error::{Error, Result};
use crate::files::PassedOver;
use crate::id::SessionId;
use crate::repository::Repository;
use crate::revision::Revision;
use crate::session::{Session, as_id};
pub(crate) use original::Original;
pub(crate) use receive::{Origin, Outline};
#[cfg(feature = "archive")]
pub(crate) use receive::{get_or_create, receive as receive_from};

/// How a session is copied.
///
/// ```
/// # use pitstop::{CopyOptions, Error, MemoryBackend, Repository, SessionId};
/// # fn main() -> Result<(), Error> {
/// # let here = Repository::with_backend(MemoryBackend::new());
/// # let there = Repository::with_backend(MemoryBackend::new());
/// let session = here.get_or_create("job")?;
/// session.save(b"one")?;
/// let mut copied = 0;
/// let options = CopyOptions::new()
///     .id(SessionId::new("job-copy")?)
///     .progress(|progress| copied = progress.done);
/// let copy = session.copy_to(&there, options)?.session;
/// assert_eq!(copy.load()?, session.load()?);
/// assert_eq!(copied, 3);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct CopyOptions<'a> {
    id: Option<SessionId>,
    format: Option<Format>,
    progress: Option<Tell<'a>>,
}

type Tell<'a> = Box<dyn FnMut(&Progress) + 'a>;

impl<'a> CopyOptions<'a> {
    /// The same name and, where the destination has it, the same format.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name that the copy gets.
    pub fn id(mut self, id: SessionId) -> Self {
        self.id = Some(id);
        self
    }

    /// How the copy keeps its checkpoints, if it is made now. One that keeps no history gets the newest
    /// checkpoint alone.
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Is told again and again how far it is.
    pub fn progress(mut self, progress: impl FnMut(&Progress) + 'a) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    fn tell(&mut self, progress: &Progress) {
        if let Some(tell) = &mut self.progress {
            tell(progress);
        }
    }
}

impl fmt::Debug for CopyOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, format, .. } = self;
        f.debug_struct("CopyOptions")
            .field("id", id)
            .field("format", format)
            .finish_non_exhaustive()
    }
}

/// How far a copy is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// The session that is being copied.
    pub session: SessionId,
    /// So many bytes of its files and checkpoints are copied, or were there already.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// What was copied.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Copied {
    /// The copy.
    #[serde(rename = "id", serialize_with = "as_id")]
    pub session: Session,
    /// How many revisions were copied now.
    pub revisions: usize,
    /// How many of the program's own files are there now.
    pub files: usize,
    /// The revisions that could not be copied because they are damaged. The newest is never among them.
    pub damaged: Vec<Revision>,
    /// How many older revisions stayed behind because the copy keeps no history.
    #[serde(rename = "omitted_revisions")]
    pub without_history: usize,
    /// The labels that stayed behind because the copy keeps none.
    pub without_labels: Labels,
    /// What of the session's directory was not copied.
    #[serde(rename = "skipped_files")]
    pub passed_over: Vec<PassedOver>,
}

/// What was copied of a repository.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RepositoryCopied {
    /// The sessions that were copied, or were there already.
    pub copied: Vec<Copied>,
    /// Those that could not be, and the entries that could not be read.
    pub problems: Vec<Problem>,
}

impl Session {
    /// Copies this session into another repository, of whatever kind: its history with numbers, times and
    /// labels where the copy keeps them, and its directory's own files where both have a directory.
    ///
    /// What is there already is not copied again: after an interruption the next call goes on behind the
    /// newest revision that was copied, and a copy that was made long ago gets what came since. The copy's
    /// newest checkpoint must still be one of this session's for that.
    ///
    /// It is the copy's one writer meanwhile. It takes no lock of this session, whose program may go
    /// on saving; of files that are being written it copies what it finds.
    ///
    /// # Durability
    /// `Ok` means: all of it is on stable storage. The files are, before the newest checkpoint is there. If
    /// it is interrupted, the copy stands where this session stood at some earlier revision.
    ///
    /// # Errors
    /// [`Error::Diverged`] if the copy holds something else, which stays as it is.
    /// [`Error::Corrupt`] if the newest checkpoint is damaged: see [`restore`](Self::restore). Else
    /// those of reading here and of [`Repository::create`] and [`Session::save`] there.
    pub fn copy_to(&self, destination: &Repository, options: CopyOptions<'_>) -> Result<Copied> {
        copy(self, destination, options)
    }
}

impl Repository {
    /// Copies every session into another repository, as [`Session::copy_to`] does, and goes on past those
    /// that cannot be copied. If the destination has no last session, it gets this one's.
    ///
    /// # Durability
    /// What is in [`copied`](RepositoryCopied::copied) is on stable storage.
    ///
    /// # Errors
    /// Only if this repository cannot be read, or the last session of the other cannot be told or set.
    pub fn copy_to(
        &self,
        destination: &Repository,
        mut options: CopyOptions<'_>,
    ) -> Result<RepositoryCopied> {
        let Listing { mut sessions, problems } = self.list()?;
        // The order in which they changed stays where it goes by the time of a directory.
        sessions.reverse();
        let mut copied = RepositoryCopied { copied: Vec::new(), problems };
        for summary in sessions {
            let one = CopyOptions {
                id: None,
                format: options.format,
                progress: Some(Box::new(|progress| options.tell(progress))),
            };
            match self.session(summary.id.clone()).copy_to(destination, one) {
                Ok(one) => copied.copied.push(one),
                // It was removed meanwhile.
                Err(Error::NotFound { .. }) => (),
                Err(error) => {
                    let (name, id) = (summary.id.to_string(), Some(summary.id));
                    copied.problems.push(Problem { name, id, error });
                }
            }
        }
        if destination.last()?.is_none()
            && let Some(last) = self.last()?
            && copied.copied.iter().any(|it| it.session.id() == last.id())
        {
            destination.session(last.id().clone()).make_last()?;
        }
        Ok(copied)
    }
}

fn copy(
    source: &Session,
    destination: &Repository,
    mut options: CopyOptions<'_>,
) -> Result<Copied> {
    let (mut original, outline) = Original::of(source)?;
    let copy = receive::get_or_create(&outline, destination, &options)?.0;
    let copied = receive::receive(&mut original, &outline, copy, &mut options)?;
    Ok(Copied { damaged: original.damaged, ..copied })
}
