//! What changes nothing.

use pitstop::Error;

use super::Operation;
use crate::run::Run;
use crate::step::Id;

pub(crate) struct Look(pub Id);

impl Operation for Look {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.repository.list()?;
        run.session(self.0)?.status()?;
        run.session(self.0)?.load()?;
        run.session(self.0)?.open_checkpoint()?;
        run.session(self.0)?.load_into(None, &mut Vec::new())?;
        run.repository.last().map(drop)
    }
}

pub(crate) struct Verify(pub Id);

impl Operation for Verify {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let found = run.session(self.0)?.verify()?;
        found.revisions.into_iter().find_map(|it| it.error).map_or(Ok(()), Err)
    }
}

pub(crate) struct VerifyAll;

impl Operation for VerifyAll {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let found = run.repository.verify()?;
        let revisions = found.sessions.into_iter().flat_map(|it| it.revisions);
        let problems = found.problems.into_iter().map(|it| it.error);
        problems.chain(revisions.filter_map(|it| it.error)).next().map_or(Ok(()), Err)
    }
}
