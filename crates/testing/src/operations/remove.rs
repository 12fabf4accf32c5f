//! Sessions that are removed.

use pitstop::{Error, Format};

use super::{Operation, make_anew};
use crate::run::Run;
use crate::step::{Id, Step};
use crate::world::{Presence, World};

pub(crate) struct Remove(pub Id);

impl Operation for Remove {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.session(self.0)?.remove().map(drop)
    }

    fn begin(&self, world: &mut World) {
        world.begin_removal(self.0);
    }

    fn acknowledge(&self, world: &mut World) {
        world.session(self.0).presence = Presence::Gone;
        world.last.retain(|last| *last != Some(self.0));
    }

    /// It was taken back, and that may not last.
    fn indeterminate(&self, _: &mut World, later: &mut World) {
        later.begin(Step::Remove(self.0));
    }

    fn resume(&self, found: &World) -> Vec<Step> {
        match found.is_present(self.0) {
            true => vec![Step::Remove(self.0), Step::Create(self.0), Step::Save(self.0, 10)],
            false => make_anew(found, self.0),
        }
    }
}

pub(crate) struct RemoveInPlace(pub Id);

impl Operation for RemoveInPlace {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.disk.set_directories_move(false);
        let removed = run.session(self.0).and_then(|session| session.remove());
        run.disk.set_directories_move(true);
        removed?.remains.into_iter().next().map_or(Ok(()), Err)
    }

    /// Where it is cut short, a part of it is left.
    fn begin(&self, world: &mut World) {
        let session = world.session(self.0);
        (session.presence, session.is_damaged) = (Presence::Maybe, true);
    }

    fn acknowledge(&self, world: &mut World) {
        let session = world.session(self.0);
        (session.presence, session.is_damaged) = (Presence::Gone, false);
    }

    fn indeterminate(&self, now: &mut World, later: &mut World) {
        now.begin(Step::RemoveInPlace(self.0));
        later.begin(Step::RemoveInPlace(self.0));
    }

    fn failed(&self, world: &mut World, _: Format) {
        world.begin(Step::RemoveInPlace(self.0));
    }
}
