//! Revisions that are given up without a save.

use pitstop::{Digest, Error, PruneOptions};

use super::Operation;
use crate::payload::payload;
use crate::run::Run;
use crate::step::{Id, Step};
use crate::world::World;

pub(crate) struct GiveUp(pub Id, pub u32);

impl Operation for GiveUp {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let session = run.session(self.0)?;
        let mut history = session.history()?.revisions.into_iter();
        let mut keep = 0;
        let wanted = Digest::of(&payload(self.1));
        history.find(|it| {
            keep += 1;
            it.info.digest == wanted
        });
        let options = PruneOptions::new().keep(keep);
        session.prune(&options.clone().dry_run())?;
        session.prune(&options).map(drop)
    }

    fn begin(&self, world: &mut World) {
        world.session(self.0).oldest = Some((self.1, false));
    }

    fn acknowledge(&self, world: &mut World) {
        world.session(self.0).oldest = Some((self.1, true));
    }

    fn indeterminate(&self, now: &mut World, later: &mut World) {
        now.session(self.0).oldest = Some((self.1, true));
        later.begin(Step::GiveUp(self.0, self.1));
    }

    fn resume(&self, _: &World) -> Vec<Step> {
        vec![Step::GiveUp(self.0, self.1)]
    }
}
