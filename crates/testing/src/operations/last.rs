//! The last session, and what lies where the link to it belongs.

use pitstop::Error;

use super::Operation;
use crate::run::Run;
use crate::step::{Id, Step};
use crate::world::{NO_LINK, World};

pub(crate) struct MakeLast(pub Id);

impl Operation for MakeLast {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.session(self.0)?.make_last()
    }

    fn begin(&self, world: &mut World) {
        world.begin_last(self.0);
    }

    fn acknowledge(&self, world: &mut World) {
        world.last = vec![Some(self.0)];
        world.resumable = world.has_checkpoint(self.0);
        world.acknowledge_aside(None);
    }

    fn indeterminate(&self, now: &mut World, later: &mut World) {
        now.last = vec![Some(self.0)];
        later.last.push(Some(self.0));
        now.resumable &= later.has_checkpoint(self.0);
        later.resumable = now.resumable;
    }

    fn resume(&self, _: &World) -> Vec<Step> {
        vec![Step::MakeLast(self.0)]
    }
}

pub(crate) struct RepairLast;

impl Operation for RepairLast {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.repository.repair_last()
    }

    fn begin(&self, world: &mut World) {
        if world.last.contains(&Some(NO_LINK)) {
            world.last.push(None);
        }
    }

    fn acknowledge(&self, world: &mut World) {
        world.last.retain(|last| *last != Some(NO_LINK));
        world.acknowledge_aside(None);
    }

    fn resume(&self, _: &World) -> Vec<Step> {
        vec![Step::RepairLast]
    }
}

pub(crate) struct LeftLink(pub Id);

impl Operation for LeftLink {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let link = run.location.join(format!(".{}.last", self.0));
        run.disk.put_link(link, format!("/where/it/was/{}.session", self.0));
        Ok(())
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

pub(crate) struct LastIsFile;

impl Operation for LastIsFile {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.disk.delete(run.location.join("last-session"));
        run.put_evidence(None, run.location.join("last-session"));
        Ok(())
    }

    fn begin(&self, world: &mut World) {
        world.begin_no_link();
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

pub(crate) struct LastIsDirectory;

impl Operation for LastIsDirectory {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.disk.delete(run.location.join("last-session"));
        run.put_evidence(None, run.location.join("last-session/file"));
        Ok(())
    }

    fn begin(&self, world: &mut World) {
        world.begin_no_link();
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

pub(crate) struct LastIs(pub Id);

impl Operation for LastIs {
    /// It was done before.
    fn perform(&self, _: &mut Run) -> Result<(), Error> {
        Ok(())
    }

    fn begin(&self, world: &mut World) {
        world.last = vec![Some(self.0)];
    }

    fn is_by_others(&self) -> bool {
        true
    }
}
