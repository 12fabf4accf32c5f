//! Sessions that are made.

use pitstop::{CreateOptions, Error, SessionId};

use super::{Operation, make_anew};
use crate::run::Run;
use crate::step::{Id, Step};
use crate::world::{Replaced, World};

pub(crate) struct Create(pub Id);

impl Operation for Create {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let options = CreateOptions::new().id(SessionId::new(self.0)?);
        run.repository.create(&options).map(drop)
    }

    fn begin(&self, world: &mut World) {
        world.begin_create(self.0);
    }

    fn acknowledge(&self, world: &mut World) {
        world.acknowledge_create(self.0);
    }

    fn resume(&self, found: &World) -> Vec<Step> {
        make_anew(found, self.0)
    }
}

pub(crate) struct Replace(pub Id);

impl Operation for Replace {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let options = CreateOptions::new().id(SessionId::new(self.0)?).replace_last();
        run.repository.create(&options).map(drop)
    }

    fn begin(&self, world: &mut World) {
        world.begin_create(self.0);
        match world.last.as_slice() {
            [Some(old)] => {
                let replaced = Replaced { old, sure: false };
                world.replaces.insert(self.0, replaced);
            }
            _ => world.begin_last(self.0),
        }
    }

    fn acknowledge(&self, world: &mut World) {
        world.acknowledge_create(self.0);
        match world.replaces.get_mut(self.0) {
            Some(replaced) => replaced.sure = true,
            None => world.last = vec![Some(self.0)],
        }
    }

    /// The session is gone again, and what made it the last one is not.
    fn indeterminate(&self, now: &mut World, later: &mut World) {
        (now.removed_last, later.removed_last) = (Some(self.0), Some(self.0));
    }

    fn resume(&self, found: &World) -> Vec<Step> {
        make_anew(found, self.0)
    }
}

pub(crate) struct Foreign(pub Id);

impl Operation for Foreign {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.disk.put_directory(run.place(self.0));
        Ok(())
    }

    fn begin(&self, world: &mut World) {
        world.begin_create(self.0);
    }

    fn resume(&self, found: &World) -> Vec<Step> {
        make_anew(found, self.0)
    }

    fn is_by_others(&self) -> bool {
        true
    }
}
