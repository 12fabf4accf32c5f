//! Writers, and how they end.

use std::time::Duration;

use pitstop::Error;

use super::Operation;
use crate::run::Run;
use crate::step::Id;
use crate::world::World;

pub(crate) struct Hold(pub Id);

impl Operation for Hold {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let writer = run.session(self.0)?.writer()?;
        run.writers.insert(self.0, writer);
        Ok(())
    }
}

pub(crate) struct Release(pub Id);

impl Operation for Release {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.writers.remove(self.0);
        Ok(())
    }
}

pub(crate) struct Unlock(pub Id);

impl Operation for Unlock {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.session(self.0)?.unlock().map(drop)
    }

    fn acknowledge(&self, world: &mut World) {
        world.acknowledge_aside(Some(self.0));
    }
}

pub(crate) struct Wait(pub u64);

impl Operation for Wait {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.disk.advance(Duration::from_secs(self.0));
        Ok(())
    }
}

pub(crate) struct Kill;

impl Operation for Kill {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.disk.kill();
        run.restart()
    }
}
