use serde::Serialize;

use super::{Criteria, PruneOptions};
use crate::backend::{GivenUp, Kept, Usage};
use crate::error::{Error, Operation, Result};
use crate::session::Session;

/// What went of a session's history, or would.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PrunedRevisions {
    /// The revisions that went, the newest first.
    #[serde(rename = "removed")]
    pub gone: Vec<Kept>,
    /// What was given back. It may be nothing: small revisions share a file, and what they took is used again
    /// for later ones.
    #[serde(flatten)]
    pub usage: Usage,
    /// What could not be deleted, each with the reason, though the revisions are gone.
    #[serde(rename = "undeleted")]
    pub remains: Vec<Error>,
}

impl Session {
    /// Gives up the older revisions that the options pick. A history is given up from its oldest end: what
    /// goes are those revisions that meet every criterion and behind which no older one stays. Never the
    /// newest. Nothing brings them back.
    ///
    /// A session that keeps no history has nothing to give up.
    ///
    /// # Durability
    /// `Ok` means: they are given up, durably. After a crash all of them are there, or none; what they took
    /// is given back by the next call then, or used for later ones.
    ///
    /// # Errors
    /// [`Error::Busy`] and [`Error::Locked`] while it has a writer; [`Error::Corrupt`] if the newest
    /// revision is damaged, for then the older ones are needed. After these all is as it was.
    /// [`Error::Indeterminate`]: they are gone, and may be back after a power cut.
    pub fn prune(&self, options: &PruneOptions) -> Result<PrunedRevisions> {
        if !options.has_criterion() {
            return Ok(PrunedRevisions::default());
        }
        let history = match self.history() {
            Err(Error::Unsupported { .. }) => return Ok(PrunedRevisions::default()),
            history => history?,
        };
        let mut kept = history.revisions;
        let gone = kept.split_off(first_to_go(options, &kept));
        let Some(oldest) = kept.last() else { return Ok(PrunedRevisions::default()) };
        if options.dry_run {
            self.has_no_writer()?;
        }
        // It must be there when the others are not.
        drop(self.open_checkpoint()?);
        match self
            .maintenance(Operation::History)
            .and_then(|it| it.discard_before(self.id(), oldest.info.revision, options.dry_run))
        {
            // It was converted meanwhile.
            Err(Error::Unsupported { .. })
                if matches!(self.history(), Err(Error::Unsupported { .. })) =>
            {
                Ok(PrunedRevisions::default())
            }
            given_up => {
                let GivenUp { usage, remains } = given_up?;
                Ok(PrunedRevisions { gone, usage, remains })
            }
        }
    }
}

/// Of the revisions, the newest first, where those begin that go.
fn first_to_go(options: &PruneOptions, revisions: &[Kept]) -> usize {
    let mut criteria = Criteria::new(options);
    let mut stays = 1;
    for (n, Kept { info, stored }) in revisions.iter().enumerate() {
        let goes =
            options.listing.matches(Some(&info.labels)) && criteria.pick(info.saved, *stored);
        if !goes {
            stays = n + 1;
        }
    }
    stays.min(revisions.len())
}
