//! Turning a plain session into a journal, and back, where it is.
//!
//! What says that a session keeps a journal is the name `session.journal`, whatever is in that file. So
//! the checkpoint of a plain session becomes that file, or the file that checkpoint, by one rename: at
//! every moment the session is the one or the other, and whole.

use std::sync::Arc;

use super::aside::move_aside;
use super::journal::{Held, JournalWriter, Version};
use super::lock::Purpose;
use super::open::OpenSession;
use super::plain::{self, leftover};
use super::{journal, names, pieces};
use crate::backend::{Format, History};
use crate::checkpoint::SaveOptions;
use crate::error::{Error, Operation, Result, Subject};
use crate::id::SessionId;
use crate::revision::At;
use crate::stream::{CheckpointReader, Input, of_input};
use crate::sys::{Access, Dated, Directory, Disk, Failure, Metadata, Outcome, found};

pub(super) fn convert(session: &OpenSession, to: Format, lose_history: bool) -> Result<()> {
    let lock = session.lock(Purpose::Maintain)?;
    let marker = session.marker()?;
    let conversion = Conversion {
        session: session.dir.clone(),
        id: session.id.clone(),
        disk: session.root.disk().clone(),
        held: lock.held(),
        version: session.root.new_journals,
    };
    match (marker, to) {
        (Some(marker), Format::Journal) => Ok(finish(&conversion.session, &marker)?),
        (None, Format::Journal) => conversion.to_journal(),
        (Some(marker), Format::Plain) => conversion.to_plain(&marker, lose_history),
        (None, Format::Plain) => {
            // The one before may not have come to it.
            conversion.session.sync()?;
            Ok(conversion.clear_segments()?)
        }
        _ => Err(Error::Unsupported {
            operation: Operation::Format(to),
            subject: Subject::Directory(session.root.location().to_owned()),
        }),
    }
}

/// Makes an end to a conversion that was killed: nothing but its name says that there is a journal. The
/// caller is the writer.
pub(super) fn finish(session: &Directory, marker: &Metadata) -> Outcome<()> {
    if marker.size == 0 {
        return Ok(());
    }
    leftover::give_back(session, names::JOURNAL)?;
    // Without this file nobody could tell that the lock was ours.
    session.sync()?;
    // Somebody may still be reading it as the checkpoint: it is replaced, not emptied.
    found(session.remove_file(names::NEW_SEGMENT))?;
    session.open_file(names::NEW_SEGMENT, Access::CreateNew)?;
    session.rename(names::NEW_SEGMENT, names::JOURNAL)
}

struct Conversion {
    session: Directory,
    id: SessionId,
    disk: Arc<dyn Disk>,
    held: Held,
    version: Version,
}

impl Conversion {
    fn to_journal(&self) -> Result<()> {
        let session = &self.session;
        leftover::clear(session, &self.id, &*self.disk)?;
        self.clear_segments()?;
        let before = session.dated(names::CHECKPOINT)?;
        let made = self.make_journal(before.is_some());
        let outcome = made.and_then(|from| self.become_a_journal(from, before.as_ref()));
        // A rename that failed may have done it all the same.
        if outcome.is_err() && matches!(journal::marker(session), Ok(None)) {
            let _ = self.clear_segments();
        }
        outcome
    }

    /// Makes the segments, and gives the file that becomes what says that they count.
    fn make_journal(&self, is_saved: bool) -> Result<&'static str> {
        let session = &self.session;
        journal::begin(session, self.version)?;
        if let Some(checkpoint) = plain::open(session)? {
            self.save(checkpoint)?;
        }
        if !is_saved {
            found(session.remove_file(names::NEW_CHECKPOINT))?;
            let file = session.open_file(names::NEW_CHECKPOINT, Access::CreateNew)?;
            file.write_all(b"\n")?;
            file.sync()?;
        }
        session.sync()?;
        Ok(if is_saved { names::CHECKPOINT } else { names::NEW_CHECKPOINT })
    }

    fn become_a_journal(&self, from: &str, before: Option<&Dated>) -> Result<()> {
        let session = &self.session;
        let marker = self.put_in_place(from, names::JOURNAL, |now| {
            let same = match (before, now) {
                (Some(before), Some(now)) => {
                    before.is_same_file(&now) && before.modified == now.modified
                }
                (before, now) => before.is_none() && now.is_none(),
            };
            // A PlainBox was faster.
            if same { Ok(()) } else { Err(leftover::taken(session, &self.id)) }
        })?;
        if let Err(failure) = finish(session, &marker) {
            tracing::debug!(error = %failure.source, "the next writer will clear up");
        }
        Ok(())
    }

    fn to_plain(&self, marker: &Metadata, lose_history: bool) -> Result<()> {
        let session = &self.session;
        finish(session, marker)?;
        // This file becomes PlainBox's lock, which would be nobody's under that name alone.
        session.sync()?;
        leftover::clear(session, &self.id, &*self.disk)?;
        if !lose_history && has_more_than_a_checkpoint(&journal::history(session)?) {
            return Err(Error::Unsupported {
                operation: Operation::KeepHistory,
                subject: Subject::Format(Format::Plain),
            });
        }
        let newest = journal::open(session, At::Newest)?;
        if session.metadata(names::CHECKPOINT)?.is_some() {
            // PlainBox took it for a session of its own.
            move_aside(session, names::CHECKPOINT, names::LOCK_ASIDE)?;
        }
        match newest {
            Some(mut checkpoint) => {
                let saved = checkpoint.info().saved;
                let file = session.open_file(names::JOURNAL, Access::Write)?;
                pieces::copy(&mut checkpoint, &file, 0).map_err(of_input)?;
                file.set_modified(saved)?;
                file.sync()?;
                self.put_in_place(names::JOURNAL, names::CHECKPOINT, |_| Ok(()))?;
                if let Err(failure) = leftover::give_back(session, names::CHECKPOINT) {
                    tracing::debug!(error = %failure.source, "the next writer will clear up");
                }
            }
            None => {
                session.remove_file(names::JOURNAL)?;
                session.sync().map_err(Failure::indeterminate)?;
            }
        }
        if let Err(failure) = self.clear_segments() {
            tracing::debug!(error = %failure.source, "the next conversion will clear up");
        }
        Ok(())
    }

    /// The first checkpoint of the journal, at the time when it was saved.
    fn save(&self, checkpoint: CheckpointReader) -> Result<()> {
        let saved = Some(checkpoint.info().saved);
        let options = SaveOptions { saved, ..SaveOptions::new() };
        let (session, id, disk) = (self.session.clone(), self.id.clone(), self.disk.clone());
        let mut writer = JournalWriter::open(session, id, disk, self.held)?;
        let outcome = match Input::begin(checkpoint).map_err(of_input)? {
            Input::Small(data) => writer.save(&data, &options),
            Input::Large(mut source) => writer.save_from(&mut source, &options),
        };
        writer.close();
        outcome.map(drop).map_err(|error| match of_input(error) {
            // It does not count yet.
            Error::Indeterminate { step, path, source } => Error::Storage { step, path, source },
            error => error,
        })
    }

    /// The moment at which it is converted, with PlainBox locked out. `check` is asked before it about
    /// the checkpoint that is there. Gives the file that got the name.
    fn put_in_place(
        &self,
        from: &str,
        to: &str,
        check: impl FnOnce(Option<Dated>) -> Result<()>,
    ) -> Result<Metadata> {
        let session = &self.session;
        leftover::lock_out(session, &self.id, &*self.disk, from)?;
        let Some(file) = session.metadata(from)? else {
            return Err(leftover::taken(session, &self.id));
        };
        let renamed = session
            .dated(names::CHECKPOINT)
            .map_err(Error::from)
            .and_then(check)
            .and_then(|()| Ok(session.rename(from, to)?));
        if let Err(error) = renamed {
            let _ = leftover::give_back(session, from);
            return Err(error);
        }
        session.sync().map_err(Failure::indeterminate)?;
        Ok(file)
    }

    /// Deletes the segments of a journal that is none, or not any more.
    fn clear_segments(&self) -> Outcome<()> {
        for (name, _) in self.session.entries()? {
            let is_segment = |name| names::segment_number(name).is_some() || names::is_staged(name);
            let is_segment = name.to_str().is_some_and(is_segment);
            if is_segment || name == names::NEW_SEGMENT || name == names::HINT {
                found(self.session.remove_file(&name))?;
            }
        }
        Ok(())
    }
}

fn has_more_than_a_checkpoint(history: &History) -> bool {
    history.revisions.len() > 1
        || !history.damaged.is_empty()
        || history.revisions.iter().any(|it| !it.info.labels.is_empty())
}
