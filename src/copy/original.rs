use std::io::Read;

use super::{Origin, Outline};
use crate::checkpoint::CheckpointInfo;
use crate::error::{Error, Result};
use crate::files::{Files, PassedOver};
use crate::revision::Revision;
use crate::session::Session;
use crate::stream::CheckpointReader;

/// A session that is to be put elsewhere, whose program may save on meanwhile.
pub(crate) struct Original<'a> {
    session: &'a Session,
    pub files: Option<Files>,
    /// The newest checkpoint. It stays what it is, whatever is saved meanwhile.
    newest: Option<CheckpointReader>,
    /// Also those that turned out to be so on the way.
    pub damaged: Vec<Revision>,
}

impl<'a> Original<'a> {
    /// How the session stands.
    pub(crate) fn of(session: &'a Session) -> Result<(Self, Outline)> {
        // First of all: until the others are known, it may be given up.
        let newest = match session.open_checkpoint() {
            Err(Error::NoCheckpoint { .. }) => None,
            checkpoint => Some(checkpoint?),
        };
        let (mut revisions, damaged) = match session.history() {
            Ok(it) => (it.revisions.into_iter().rev().map(|it| it.info).collect(), it.damaged),
            Err(Error::Unsupported { .. }) => (Vec::new(), Vec::new()),
            Err(error) => return Err(error),
        };
        let newest_info = newest.as_ref().map(CheckpointReader::info);
        let number = newest_info.and_then(|it| it.revision.number());
        revisions.retain(|it: &CheckpointInfo| it.revision.number() < number);
        revisions.extend(newest_info.cloned());
        let files = session.backend.files(session.id())?;
        let outline = Outline {
            id: session.id().clone(),
            format: Some(session.status()?.summary.format),
            size_of_files: files.as_ref().map_or(Ok(0), Files::size)?,
            revisions,
        };
        Ok((Self { session, files, newest, damaged }, outline))
    }
}

impl Origin for Original<'_> {
    fn put_files(
        &mut self,
        to: Option<&Files>,
        more: &mut dyn FnMut(u64),
    ) -> Result<(usize, Vec<PassedOver>)> {
        match (&self.files, to) {
            (Some(from), Some(to)) => from.copy_to(to, more),
            (Some(from), None) => Ok((0, from.all_passed_over()?)),
            (None, _) => Ok((0, Vec::new())),
        }
    }

    fn open(
        &mut self,
        info: &CheckpointInfo,
        is_newest: bool,
    ) -> Result<Option<Box<dyn Read + '_>>> {
        if is_newest && let Some(newest) = self.newest.take() {
            return Ok(Some(Box::new(newest)));
        }
        match self.session.open_revision(info.revision) {
            Ok(checkpoint) => Ok(Some(Box::new(checkpoint))),
            Err(Error::Corrupt { .. }) => {
                self.damaged.push(info.revision);
                Ok(None)
            }
            // The program saves on, and gave it up meanwhile.
            Err(Error::NoRevision { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}
