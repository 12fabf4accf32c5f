//! Taking a session over from wherever it comes.

use std::collections::HashMap;
use std::io::Read;

use super::{Copied, CopyOptions, Progress};
use crate::backend::Format;
use crate::checkpoint::{CheckpointInfo, Labels, Retention, SaveOptions};
use crate::error::{Damage, Error, Result};
use crate::files::{Files, PassedOver};
use crate::id::SessionId;
use crate::repository::{CreateOptions, Repository};
use crate::session::{Session, Writer};
use crate::stream::{CheckpointReader, Watched};

/// What is known of a session before it comes.
pub(crate) struct Outline {
    pub id: SessionId,
    pub format: Option<Format>,
    pub size_of_files: u64,
    /// The oldest first.
    pub revisions: Vec<CheckpointInfo>,
}

/// Where a session comes from. It gives first its files, then its checkpoints in their order.
pub(crate) trait Origin {
    /// Puts the program's own files into a directory, if there is one. Says how many these are, and what
    /// was passed over.
    fn put_files(
        &mut self,
        to: Option<&Files>,
        more: &mut dyn FnMut(u64),
    ) -> Result<(usize, Vec<PassedOver>)>;

    /// The payload of a checkpoint, found to be whole at the latest with its last bytes; `None` if it is
    /// not there any more.
    fn open(
        &mut self,
        info: &CheckpointInfo,
        is_newest: bool,
    ) -> Result<Option<Box<dyn Read + '_>>>;

    /// Everything has come.
    fn end(&mut self) -> Result<()>;
}

/// The session that becomes the copy, and whether it was made now.
pub(crate) fn get_or_create(
    outline: &Outline,
    destination: &Repository,
    options: &CopyOptions<'_>,
) -> Result<(Session, bool)> {
    let id = options.id.as_ref().unwrap_or(&outline.id);
    let create = |format: Option<Format>| {
        let options = CreateOptions::new().id(id.clone());
        let options = match format {
            Some(format) => options.format(format),
            None => options,
        };
        match destination.create(&options) {
            Err(Error::AlreadyExists { .. }) => Ok((destination.session(id.clone()), false)),
            outcome => outcome.map(|session| (session, true)),
        }
    };
    if options.format.is_some() || destination.format.is_some() {
        return create(options.format);
    }
    match create(outline.format) {
        Err(Error::Unsupported { .. }) => create(None),
        outcome => outcome,
    }
}

/// Fills the copy with what it does not hold yet.
pub(crate) fn receive(
    origin: &mut impl Origin,
    outline: &Outline,
    copy: Session,
    options: &mut CopyOptions<'_>,
) -> Result<Copied> {
    let revisions = &outline.revisions;
    let mut writer = copy.writer()?;
    let standing = Standing::of(&copy)?;
    let begin = standing.follows(&copy, revisions)?;
    let wanted = match standing.has_history {
        true => &revisions[begin..],
        // Also if it is there: the flush of its name may have failed.
        false => &revisions[revisions.len().saturating_sub(1)..],
    };

    let total = outline.size_of_files + wanted.iter().map(|it| it.size).sum::<u64>();
    let mut progress = Progress { session: copy.id().clone(), done: 0, total };
    let to = copy.backend.files(copy.id())?;
    let (files, passed_over) = origin.put_files(to.as_ref(), &mut |more| {
        progress.done += more;
        options.tell(&progress);
    })?;
    let mut copied = Copied {
        session: copy,
        revisions: 0,
        files,
        damaged: Vec::new(),
        without_history: if standing.has_history { 0 } else { revisions.len().max(1) - 1 },
        without_labels: Labels::new(),
        passed_over,
    };
    for (n, info) in wanted.iter().enumerate() {
        let is_newest = n + 1 == wanted.len();
        let before = progress.done;
        if let Some(payload) = origin.open(info, is_newest)? {
            let payload = Watched::new(payload, |more| {
                progress.done += more;
                options.tell(&progress);
            });
            put(&mut writer, info, payload, standing.has_history)?;
            copied.revisions += usize::from(begin < revisions.len());
            if !standing.has_history {
                copied.without_labels = info.labels.clone();
            }
        }
        progress.done = before + info.size;
        options.tell(&progress);
    }
    origin.end()?;
    Ok(copied)
}

/// What the copy holds already.
struct Standing {
    has_history: bool,
    /// The newest first.
    revisions: Vec<CheckpointInfo>,
}

impl Standing {
    fn of(copy: &Session) -> Result<Self> {
        // Damage is told now.
        copy.status()?;
        match copy.history() {
            Ok(history) => {
                let revisions = history.revisions.into_iter().map(|it| it.info).collect();
                Ok(Self { has_history: true, revisions })
            }
            Err(Error::Unsupported { .. }) => {
                let revisions = match copy.open_checkpoint() {
                    Ok(checkpoint) => vec![checkpoint.info().clone()],
                    Err(Error::NoCheckpoint { .. }) => Vec::new(),
                    Err(error) => return Err(error),
                };
                Ok(Self { has_history: false, revisions })
            }
            Err(error) => Err(error),
        }
    }

    /// How many of the original's revisions are there: all up to the newest that is in both.
    fn follows(&self, copy: &Session, original: &[CheckpointInfo]) -> Result<usize> {
        let Some(newest) = self.revisions.first() else { return Ok(0) };
        let diverged = |revision| Error::Diverged {
            id: copy.id().clone(),
            repository: copy.backend.location().to_owned(),
            revision,
        };
        if self.has_history {
            let there: HashMap<_, _> = self.revisions.iter().map(|it| (it.revision, it)).collect();
            for info in original {
                if let Some(it) = there.get(&info.revision)
                    && (it.digest, it.saved) != (info.digest, info.saved)
                {
                    return Err(diverged(it.revision));
                }
            }
        }
        let is_it = |info: &CheckpointInfo| {
            let numbers = (info.revision.number(), newest.revision.number());
            let is_same_number = !matches!(numbers, (Some(a), Some(b)) if a != b);
            is_same_number && (info.size, info.digest) == (newest.size, newest.digest)
        };
        let at = original.iter().rposition(is_it);
        at.map(|at| at + 1).ok_or_else(|| diverged(newest.revision))
    }
}

fn open(session: &Session, info: &CheckpointInfo) -> Result<CheckpointReader> {
    match info.revision.number() {
        Some(_) => session.open_revision(info.revision),
        None => session.open_checkpoint(),
    }
}

/// Saves a checkpoint as what it was, and reads it back.
fn put(
    writer: &mut Writer,
    info: &CheckpointInfo,
    payload: impl Read,
    has_history: bool,
) -> Result<()> {
    let options = match has_history {
        true => SaveOptions::new().copy_of(info).keep(Retention::All),
        false => SaveOptions { saved: Some(info.saved), ..SaveOptions::new() },
    };
    let saved = writer.save_checkpoint(payload, &options)?;
    let there = open(writer.session(), &saved)?;
    match (there.info().size, there.info().digest) == (saved.size, saved.digest) {
        true => Ok(()),
        false => Err(Error::Corrupt {
            path: writer.session().place(),
            damage: Damage::NotAsSaved(saved.revision),
            newest_good: None,
        }),
    }
}
