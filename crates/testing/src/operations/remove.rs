//! Sessions that are removed.

use pitstop::Error;

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
